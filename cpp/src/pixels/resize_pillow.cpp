// Convolution resampling as Pillow defines it (src/libImaging/Resample.c): the filter is stretched
// by the factor of reduction, its weights are normalised and rounded to 22 fractional bits, and
// each of the two passes rounds to 8 bits.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "pixels/resize.hpp"
#include "pixels/vector.hpp"

namespace residua {

namespace {

constexpr int fraction_bits = 32 - 8 - 2;
constexpr int32_t half = 1 << (fraction_bits - 1);

double weigh_bilinear(double distance) { return std::max(0.0, 1.0 - std::fabs(distance)); }

// Catmull-Rom, a = -0.5. The order of operations is Pillow's, for the last bit's sake.
double weigh_bicubic(double distance) {
    constexpr double a = -0.5;
    const double x = std::fabs(distance);
    if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
    if (x < 2.0) return (((x - 5) * x + 8) * x - 4) * a;
    return 0.0;
}

// For each output position of a range: the first source position and the weights from there on.
struct Taps {
    std::vector<int> start, count;
    std::vector<int32_t> weights;
    int size = 0;  // room for weights at each position

    const int32_t* at(int index) const {
        return weights.data() + static_cast<ptrdiff_t>(index) * size;
    }
    int first_source() const { return *std::min_element(start.begin(), start.end()); }
    int end_source() const {
        int end = 0;
        for (size_t index = 0; index < start.size(); ++index)
            end = std::max(end, start[index] + count[index]);
        return end;
    }
};

// The taps of output positions `first`…`last` - 1 of `length`, which the source from `low` to
// `high` becomes. Pillow hands the box on in single precision.
Taps make_taps(int source, float low, float high, int length, int first, int last,
               Interpolation interpolation) {
    const bool cubic = interpolation == Interpolation::bicubic;
    const double scale = static_cast<double>(high - low) / length;
    const double stretch = std::max(scale, 1.0), shrink = 1.0 / stretch;
    const double support = (cubic ? 2.0 : 1.0) * stretch;
    Taps taps;
    taps.size = static_cast<int>(std::ceil(support)) * 2 + 1;
    taps.weights.resize(static_cast<size_t>(taps.size) * static_cast<size_t>(last - first));
    std::vector<double> weights(static_cast<size_t>(taps.size));
    for (int index = first; index < last; ++index) {
        const double centre = low + (index + 0.5) * scale;
        const int start = std::max(static_cast<int>(centre - support + 0.5), 0);
        const int count = std::min(static_cast<int>(centre + support + 0.5), source) - start;
        double sum = 0;
        for (int tap = 0; tap < count; ++tap) {
            const double distance = (tap + start - centre + 0.5) * shrink;
            weights[static_cast<size_t>(tap)] =
                cubic ? weigh_bicubic(distance) : weigh_bilinear(distance);
            sum += weights[static_cast<size_t>(tap)];
        }
        int32_t* rounded = taps.weights.data() + static_cast<ptrdiff_t>(index - first) * taps.size;
        for (int tap = 0; tap < count; ++tap) {
            double weight = weights[static_cast<size_t>(tap)];
            if (sum != 0.0) weight /= sum;
            rounded[tap] =
                static_cast<int32_t>((weight < 0 ? -0.5 : 0.5) + weight * (1 << fraction_bits));
        }
        taps.start.push_back(start);
        taps.count.push_back(count);
    }
    return taps;
}

uint8_t settle(int32_t sum) {
    return static_cast<uint8_t>(std::clamp(sum >> fraction_bits, 0, 255));
}

template <int channels>
void blend_columns(const uint8_t* source, uint8_t* target, const Taps& taps, int offset) {
    const int length = static_cast<int>(taps.start.size());
    for (int x = 0; x < length; ++x) {
        const auto index = static_cast<size_t>(x);
        const uint8_t* pixel = source + (taps.start[index] - offset) * channels;
        const int32_t* weights = taps.at(x);
        int32_t sums[channels];
        for (int32_t& sum : sums) sum = half;
        for (int tap = 0; tap < taps.count[index]; ++tap, pixel += channels)
            for (int channel = 0; channel < channels; ++channel)
                sums[channel] += pixel[channel] * weights[tap];
        for (int channel = 0; channel < channels; ++channel) *target++ = settle(sums[channel]);
    }
}

// The horizontal pass over rows `top`…`bottom` - 1 of `image`, whose first column is the source's
// `offset`.
Image resize_width(const Image& image, const Taps& taps, int top, int bottom, int offset) {
    Image result(static_cast<int>(taps.start.size()), bottom - top, image.channels());
    const auto blend = image.channels() == 1   ? blend_columns<1>
                       : image.channels() == 3 ? blend_columns<3>
                                               : blend_columns<4>;
    for (int y = top; y < bottom; ++y) blend(image.row(y), result.row(y - top), taps, offset);
    return result;
}

RESIDUA_VECTOR void add_row(const uint8_t* source, int32_t weight, int32_t* sums, size_t count) {
    for (size_t index = 0; index < count; ++index) sums[index] += source[index] * weight;
}

RESIDUA_VECTOR void settle_row(const int32_t* sums, uint8_t* target, size_t count) {
    for (size_t index = 0; index < count; ++index) target[index] = settle(sums[index]);
}

// The vertical pass over columns `left`…`right` - 1 of `image`, whose first row is the source's
// `offset`.
Image resize_height(const Image& image, const Taps& taps, int left, int right, int offset) {
    Image result(right - left, static_cast<int>(taps.start.size()), image.channels());
    std::vector<int32_t> sums(result.stride());
    for (int y = 0; y < result.height(); ++y) {
        const auto index = static_cast<size_t>(y);
        std::fill(sums.begin(), sums.end(), half);
        for (int tap = 0; tap < taps.count[index]; ++tap)
            add_row(image.pixel(left, taps.start[index] - offset + tap), taps.at(y)[tap],
                    sums.data(), sums.size());
        settle_row(sums.data(), result.row(y), sums.size());
    }
    return result;
}

Image cut_window(const Image& image, const Target& target) {
    return cut(image, target.left, target.top, target.right, target.bottom);
}

Image resample(const Image& image, const Box& box, const Target& target,
               Interpolation interpolation) {
    const float left = static_cast<float>(box.left), right = static_cast<float>(box.right);
    const float top = static_cast<float>(box.top), bottom = static_cast<float>(box.bottom);
    const bool wide = target.width != image.width() || left != 0 || right != target.width;
    const bool high = target.height != image.height() || top != 0 || bottom != target.height;
    if (!wide && !high) return cut_window(image, target);
    const Taps columns = make_taps(image.width(), left, right, target.width, target.left,
                                   target.right, interpolation);
    const Taps rows = make_taps(image.height(), top, bottom, target.height, target.top,
                                target.bottom, interpolation);
    // Pillow begins with the pass that leaves less work for the other.
    const int64_t taller = int64_t{image.height()} - target.height;
    const int64_t wider = int64_t{image.width()} - target.width;
    if (taller > 0 && taller > 2 * wider) {
        if (!wide) return resize_height(image, rows, target.left, target.right, 0);
        const int first = columns.first_source();
        const Image flat = resize_height(image, rows, first, columns.end_source(), 0);
        return resize_width(flat, columns, 0, flat.height(), first);
    }
    if (!high) return resize_width(image, columns, target.top, target.bottom, 0);
    if (!wide) return resize_height(image, rows, target.left, target.right, 0);
    const int first = rows.first_source();
    const Image narrow = resize_width(image, columns, first, rows.end_source(), 0);
    return resize_height(narrow, rows, 0, narrow.width(), first);
}

// Colours weighted by alpha: the colour of a transparent pixel must not bleed into its neighbours.
void multiply_alpha(Image& image) {
    for (uint8_t* pixel = image.row(0); pixel != image.row(image.height()); pixel += 4)
        for (int channel = 0; channel < 3; ++channel) {
            const int product = pixel[channel] * pixel[3] + 128;
            pixel[channel] = static_cast<uint8_t>(((product >> 8) + product) >> 8);
        }
}

void divide_alpha(Image& image) {
    for (uint8_t* pixel = image.row(0); pixel != image.row(image.height()); pixel += 4) {
        const int alpha = pixel[3];
        if (alpha == 0 || alpha == 255) continue;
        for (int channel = 0; channel < 3; ++channel)
            pixel[channel] = static_cast<uint8_t>(std::min(255 * pixel[channel] / alpha, 255));
    }
}

}  // namespace

Image resize_pillow(const Image& image, const Box& box, const Target& target,
                    Interpolation interpolation) {
    const bool whole =
        box.left == 0 && box.top == 0 && box.right == image.width() && box.bottom == image.height();
    if (whole && target.width == image.width() && target.height == image.height())
        return cut_window(image, target);
    if (image.channels() != 4) return resample(image, box, target, interpolation);
    Image weighted = cut(image, 0, 0, image.width(), image.height());
    multiply_alpha(weighted);
    Image result = resample(weighted, box, target, interpolation);
    divide_alpha(result);
    return result;
}

}  // namespace residua
