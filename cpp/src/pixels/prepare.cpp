#include "pixels/prepare.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <new>

#include "pixels/colour.hpp"
#include "pixels/geometry.hpp"
#include "pixels/jpeg.hpp"
#include "pixels/orientation.hpp"
#include "pixels/png.hpp"
#include "pixels/resize.hpp"
#include "pixels/sniff.hpp"

namespace residua {

namespace {

constexpr int reduced_margin = 4;

// A decoded picture, upright. `box` is the part of `image` that the picture fills: at reduced scale
// the last row and column may reach beyond it by a fraction of a pixel.
struct Picture {
    Image image;
    int width, height;  // of the picture at full size
    Box box;
};

int choose_scale(const Header& header, const Preprocess& preprocess) {
    const int side =
        preprocess.aspect == Aspect::crop ? preprocess.short_side : preprocess.crop_size;
    const auto least = static_cast<uint32_t>(reduced_margin * side);
    for (const uint32_t scale : {8u, 4u, 2u})
        if (std::min(header.width, header.height) / scale >= least) return static_cast<int>(scale);
    return 1;
}

Picture decode(const Header& header, Format format, Colour colour, int scale) {
    const int width = static_cast<int>(header.width), height = static_cast<int>(header.height);
    const int turn = header.orientation;
    Image stored = format == Format::jpeg ? convert(decode_jpeg(header, scale), colour)
                                          : convert(decode_png(header), colour);
    const Box filled{0, 0, static_cast<double>(width) / scale, static_cast<double>(height) / scale};
    const Box box = turn_box(filled, stored.width(), stored.height(), turn);
    const bool swapped = swaps_sides(turn);
    return {turn_upright(std::move(stored), turn), swapped ? height : width,
            swapped ? width : height, box};
}

void check_layout(const Picture& picture, const Layout& layout, const Limits& limits,
                  const std::string& name) {
    if (layout.width * layout.height <= static_cast<double>(limits.max_pixels)) return;
    char sides[96];
    std::snprintf(sides, sizeof sides, " of %d x %d pixels would be resized to %.0f x %.0f",
                  picture.width, picture.height, layout.width, layout.height);
    throw ImageError("too-large", name + sides + "; the limit is " +
                                      spell_millions(limits.max_pixels) + " million pixels.");
}

// Resizes the whole, as both references do, and computes of it what lies within the crop.
Image resize(const Picture& picture, const Layout& layout, const Preprocess& preprocess) {
    const int crop = preprocess.crop_size;
    const int width = static_cast<int>(layout.width), height = static_cast<int>(layout.height);
    const Target target{width,
                        height,
                        std::max(layout.left, 0),
                        std::max(layout.top, 0),
                        std::min(layout.left + crop, width),
                        std::min(layout.top + crop, height)};
    if (preprocess.resampler == Resampler::opencv)
        return resize_opencv(picture.image, target, preprocess.interpolation);
    return resize_pillow(picture.image, picture.box, target, preprocess.interpolation);
}

// Puts the resized part where the layout has it. What it leaves free is black, and the mean colour
// where the whole picture is fitted in.
std::vector<uint8_t> place(const Image& part, const Layout& layout, const Preprocess& preprocess) {
    const int channels = preprocess.channels();
    const auto crop = static_cast<size_t>(preprocess.crop_size);
    const size_t stride = crop * static_cast<size_t>(channels);
    std::vector<uint8_t> pixels(crop * stride);
    if (preprocess.aspect == Aspect::pad)
        for (size_t index = 0; index < pixels.size(); ++index) {
            const double mean = preprocess.mean[index % static_cast<size_t>(channels)];
            pixels[index] =
                static_cast<uint8_t>(std::clamp(std::nearbyint(255 * mean), 0.0, 255.0));
        }
    const auto left = static_cast<size_t>(std::max(-layout.left, 0) * channels);
    const auto top = static_cast<size_t>(std::max(-layout.top, 0));
    for (int y = 0; y < part.height(); ++y)
        std::copy_n(part.row(y), part.stride(),
                    pixels.data() + (top + static_cast<size_t>(y)) * stride + left);
    return pixels;
}

}  // namespace

std::vector<uint8_t> prepare(std::string_view data, const Preprocess& preprocess,
                             const Limits& limits, const std::string& name, bool exact) {
    Header header;
    const Format format = sniff(data, limits, name, header);
    const bool reduced =
        format == Format::jpeg && preprocess.resampler == Resampler::pillow && !exact;
    try {
        const int scale = reduced ? choose_scale(header, preprocess) : 1;
        const Picture picture = decode(header, format, preprocess.colour, scale);
        const Layout layout = lay_out(picture.width, picture.height, preprocess);
        check_layout(picture, layout, limits, name);
        return place(resize(picture, layout, preprocess), layout, preprocess);
    } catch (const BrokenPicture& error) {
        throw damaged(name_of(format), error.what(), name);
    } catch (const std::bad_alloc&) {
        throw no_memory(static_cast<int>(header.width), static_cast<int>(header.height), name);
    }
}

}  // namespace residua
