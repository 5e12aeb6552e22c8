// Interpolation between neighbours as OpenCV defines it (modules/imgproc/src/resize.cpp).
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <vector>

#include "pixels/resize.hpp"
#include "pixels/vector.hpp"

namespace residua {

namespace {

constexpr int weight_scale = 2048;

// The source position of an output pixel's centre. OpenCV divides twice, and goes on in floats.
struct Place {
    int index;
    float part;
};

Place find_place(int position, int source, int length) {
    const double scale = 1.0 / (static_cast<double>(length) / source);
    const auto place = static_cast<float>((position + 0.5) * scale - 0.5);
    const int index = static_cast<int>(std::floor(place));
    return {index, place - static_cast<float>(index)};
}

int round_weight(float weight) { return static_cast<int>(std::nearbyintf(weight * weight_scale)); }

int keep_within(int index, int length) { return std::clamp(index, 0, length - 1); }

// ---- bilinear: weights of 11 bits, sums of 22 ----

struct Pair {
    int first, second;  // source positions
    int weights[2];
};

std::vector<Pair> make_columns(int source, int length, int first, int last) {
    std::vector<Pair> pairs;
    for (int x = first; x < last; ++x) {
        auto [index, part] = find_place(x, source, length);
        if (index < 0 || index >= source - 1) index = keep_within(index, source), part = 0;
        pairs.push_back({index,
                         keep_within(index + 1, source),
                         {round_weight(1.0F - part), round_weight(part)}});
    }
    return pairs;
}

// At the upper and lower edge the weights stay and the rows are the same one.
std::vector<Pair> make_rows(int source, int length, int first, int last) {
    std::vector<Pair> pairs;
    for (int y = first; y < last; ++y) {
        const auto [index, part] = find_place(y, source, length);
        pairs.push_back({keep_within(index, source),
                         keep_within(index + 1, source),
                         {round_weight(1.0F - part), round_weight(part)}});
    }
    return pairs;
}

void blend_columns(const uint8_t* row, int channels, const std::vector<Pair>& columns, int* sums) {
    for (const Pair& pair : columns)
        for (int channel = 0; channel < channels; ++channel)
            *sums++ = row[pair.first * channels + channel] * pair.weights[0] +
                      row[pair.second * channels + channel] * pair.weights[1];
}

RESIDUA_VECTOR void blend_rows(const int* above, const int* below, int first, int second,
                               uint8_t* target, size_t count) {
    for (size_t index = 0; index < count; ++index) {
        const int upper = (first * (above[index] >> 4)) >> 16;
        const int lower = (second * (below[index] >> 4)) >> 16;
        target[index] = static_cast<uint8_t>((upper + lower + 2) >> 2);
    }
}

Image resize_bilinear(const Image& image, const Target& target) {
    const std::vector<Pair> columns =
        make_columns(image.width(), target.width, target.left, target.right);
    const std::vector<Pair> rows =
        make_rows(image.height(), target.height, target.top, target.bottom);
    Image result(target.right - target.left, target.bottom - target.top, image.channels());
    std::array<std::vector<int>, 2> sums{std::vector<int>(result.stride()),
                                         std::vector<int>(result.stride())};
    std::array<int, 2> held{-1, -1};  // which source rows the sums are of
    const auto fetch = [&](int row) {
        const size_t place = static_cast<size_t>(row % 2);  // two rows that follow one another
        if (held[place] != row)
            blend_columns(image.row(row), image.channels(), columns, sums[place].data());
        held[place] = row;
        return sums[place].data();
    };
    for (int y = 0; y < result.height(); ++y) {
        const Pair& pair = rows[static_cast<size_t>(y)];
        const int* above = fetch(pair.first);
        const int* below = fetch(pair.second);
        blend_rows(above, below, pair.weights[0], pair.weights[1], result.row(y), result.stride());
    }
    return result;
}

// Half the size both ways is the mean of four, as OpenCV has it.
Image halve(const Image& image, const Target& target) {
    Image result(target.right - target.left, target.bottom - target.top, image.channels());
    const int channels = image.channels();
    for (int y = 0; y < result.height(); ++y) {
        const uint8_t* above = image.pixel(2 * target.left, 2 * (target.top + y));
        const uint8_t* below = above + image.stride();
        uint8_t* pixel = result.row(y);
        for (int x = 0; x < result.width(); ++x, above += 2 * channels, below += 2 * channels)
            for (int channel = 0; channel < channels; ++channel)
                *pixel++ = static_cast<uint8_t>((above[channel] + above[channel + channels] +
                                                 below[channel] + below[channel + channels] + 2) >>
                                                2);
    }
    return result;
}

// ---- bicubic: a = -0.75, in doubles ----

struct Quad {
    int source[4];
    double weights[4];
};

std::vector<Quad> make_quads(int source, int length, int first, int last) {
    constexpr double a = -0.75;
    std::vector<Quad> quads;
    for (int position = first; position < last; ++position) {
        const double place = (position + 0.5) * (static_cast<double>(source) / length) - 0.5;
        const int index = static_cast<int>(std::floor(place));
        const double x = place - index;
        Quad quad{};
        for (int tap = 0; tap < 4; ++tap) quad.source[tap] = keep_within(index + tap - 1, source);
        quad.weights[0] = ((a * (x + 1) - 5 * a) * (x + 1) + 8 * a) * (x + 1) - 4 * a;
        quad.weights[1] = ((a + 2) * x - (a + 3)) * x * x + 1;
        quad.weights[2] = ((a + 2) * (1 - x) - (a + 3)) * (1 - x) * (1 - x) + 1;
        quad.weights[3] = 1 - quad.weights[0] - quad.weights[1] - quad.weights[2];
        quads.push_back(quad);
    }
    return quads;
}

Image resize_bicubic(const Image& image, const Target& target) {
    const std::vector<Quad> columns =
        make_quads(image.width(), target.width, target.left, target.right);
    const std::vector<Quad> rows =
        make_quads(image.height(), target.height, target.top, target.bottom);
    Image result(target.right - target.left, target.bottom - target.top, image.channels());
    const int channels = image.channels();
    std::array<std::vector<double>, 4> sums;
    std::array<int, 4> held{-1, -1, -1, -1};
    const auto fetch = [&](int row) {
        const size_t place = static_cast<size_t>(row % 4);
        if (held[place] == row) return sums[place].data();
        held[place] = row;
        sums[place].resize(result.stride());
        double* sum = sums[place].data();
        for (const Quad& quad : columns)
            for (int channel = 0; channel < channels; ++channel, ++sum) {
                *sum = 0;
                for (int tap = 0; tap < 4; ++tap)
                    *sum +=
                        image.row(row)[quad.source[tap] * channels + channel] * quad.weights[tap];
            }
        return sums[place].data();
    };
    for (int y = 0; y < result.height(); ++y) {
        const Quad& quad = rows[static_cast<size_t>(y)];
        const double* four[4];
        for (int tap = 0; tap < 4; ++tap) four[tap] = fetch(quad.source[tap]);
        uint8_t* pixel = result.row(y);
        for (size_t index = 0; index < result.stride(); ++index) {
            double value = 0;
            for (int tap = 0; tap < 4; ++tap) value += four[tap][index] * quad.weights[tap];
            pixel[index] = static_cast<uint8_t>(std::clamp(std::nearbyint(value), 0.0, 255.0));
        }
    }
    return result;
}

}  // namespace

Image resize_opencv(const Image& image, const Target& target, Interpolation interpolation) {
    if (target.width == image.width() && target.height == image.height())
        return cut(image, target.left, target.top, target.right, target.bottom);
    if (interpolation == Interpolation::bicubic) return resize_bicubic(image, target);
    if (image.width() == 2 * target.width && image.height() == 2 * target.height)
        return halve(image, target);
    return resize_bilinear(image, target);
}

}  // namespace residua
