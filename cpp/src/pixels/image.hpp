// Decoded pixels: 8 bits a sample, rows from top to bottom, channels side by side.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

namespace residua {

class Image {
public:
    Image() = default;

    // All zero. Throws std::bad_alloc. calloc takes large memory only as it is written to, so that
    // a file which declares much and holds little costs little.
    Image(int width, int height, int channels)
        : width_(width),
          height_(height),
          channels_(channels),
          pixels_(static_cast<uint8_t*>(std::calloc(bytes() ? bytes() : 1, 1))) {
        if (!pixels_) throw std::bad_alloc();
    }

    int width() const { return width_; }
    int height() const { return height_; }
    int channels() const { return channels_; }
    size_t stride() const { return static_cast<size_t>(width_) * static_cast<size_t>(channels_); }
    size_t bytes() const { return stride() * static_cast<size_t>(height_); }

    uint8_t* row(int y) { return pixels_.get() + stride() * static_cast<size_t>(y); }
    const uint8_t* row(int y) const { return pixels_.get() + stride() * static_cast<size_t>(y); }
    uint8_t* pixel(int x, int y) { return row(y) + x * channels_; }
    const uint8_t* pixel(int x, int y) const { return row(y) + x * channels_; }

private:
    struct Free {
        void operator()(uint8_t* memory) const { std::free(memory); }
    };

    int width_ = 0, height_ = 0, channels_ = 0;
    std::unique_ptr<uint8_t[], Free> pixels_;
};

// A copy of the part from `left`, `top` to `right`, `bottom` (exclusive).
inline Image cut(const Image& image, int left, int top, int right, int bottom) {
    Image part(right - left, bottom - top, image.channels());
    for (int y = 0; y < part.height(); ++y)
        std::memcpy(part.row(y), image.pixel(left, top + y), part.stride());
    return part;
}

// A part of a picture, in pixels; the resize takes fractions of one.
struct Box {
    double left, top, right, bottom;
};

}  // namespace residua
