#include "pixels/colour.hpp"

#include <algorithm>
#include <utility>

namespace residua {

namespace {

// Returns an image of `channels` whose pixels `write(source, target)` makes one by one.
template <typename Write>
Image remake(const Image& image, int channels, Write write) {
    Image made(image.width(), image.height(), channels);
    for (int y = 0; y < image.height(); ++y) {
        const uint8_t* source = image.row(y);
        uint8_t* target = made.row(y);
        for (int x = 0; x < image.width(); ++x) {
            write(source, target);
            source += image.channels(), target += channels;
        }
    }
    return made;
}

uint8_t luma(const uint8_t* rgb) {
    return static_cast<uint8_t>((rgb[0] * 19595u + rgb[1] * 38470u + rgb[2] * 7471u + 0x8000u) >>
                                16);
}

void write_rgb(uint8_t* target, uint8_t red, uint8_t green, uint8_t blue) {
    target[0] = red, target[1] = green, target[2] = blue;
}

Image look_up(const PngPicture& picture, Colour colour) {
    if (colour == Colour::rgba && picture.alphas > picture.palette.size())
        throw BrokenPicture("cannot be decoded (outside palette)");
    const int channels = colour == Colour::rgba ? 4 : 3;
    Image coloured = remake(picture.pixels, channels, [&](const uint8_t* source, uint8_t* target) {
        std::copy_n(picture.palette[*source].data(), channels, target);
    });
    return colour == Colour::grey ? convert(std::move(coloured), colour) : std::move(coloured);
}

// Makes the colour that a PNG names transparent. Pillow compares the low bytes of what it names
// with the samples as decoded, whatever their depth in the file.
void make_transparent(Image& image, const PngPicture& picture) {
    if (!picture.transparent) return;
    const auto& named = *picture.transparent;
    for (uint8_t* pixel = image.row(0); pixel != image.row(image.height()); pixel += 4) {
        const auto matches = [&](size_t channel) {
            return pixel[channel] == (named[channel] & 0xFF);
        };
        if (matches(0) && matches(1) && matches(2)) pixel[3] = 0;
    }
}

Image drop_alpha(const Image& image, int channels) {
    return remake(image, channels, [&](const uint8_t* source, uint8_t* target) {
        std::copy_n(source, channels, target);
    });
}

}  // namespace

Image convert(Image image, Colour colour) {
    if (image.channels() == static_cast<int>(colour)) return image;
    const bool grey = image.channels() == 1;
    if (colour == Colour::grey)
        return remake(image, 1,
                      [](const uint8_t* source, uint8_t* target) { *target = luma(source); });
    return remake(image, static_cast<int>(colour), [&](const uint8_t* source, uint8_t* target) {
        write_rgb(target, source[0], source[grey ? 0 : 1], source[grey ? 0 : 2]);
        if (colour == Colour::rgba) target[3] = 255;
    });
}

Image convert(PngPicture picture, Colour colour) {
    const Image& pixels = picture.pixels;
    switch (picture.kind) {
        case PngKind::palette:
            return look_up(picture, colour);
        case PngKind::grey16:
            return convert(drop_alpha(pixels, 1), colour);  // the second channel is the low byte
        case PngKind::grey_alpha:
            if (colour != Colour::rgba) return convert(drop_alpha(pixels, 1), colour);
            return remake(pixels, 4, [](const uint8_t* source, uint8_t* target) {
                write_rgb(target, source[0], source[0], source[0]);
                target[3] = source[1];
            });
        case PngKind::rgba:
            if (colour == Colour::rgba) return std::move(picture.pixels);
            return convert(drop_alpha(pixels, 3), colour);
        default:
            break;
    }
    Image converted = convert(std::move(picture.pixels), colour);
    if (colour == Colour::rgba) make_transparent(converted, picture);
    return converted;
}

}  // namespace residua
