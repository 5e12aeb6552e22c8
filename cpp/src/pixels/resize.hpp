// The two resamplers, each computing only the window of the resized picture that is wanted.
#pragma once

#include "pixels/image.hpp"
#include "pixels/preprocess.hpp"

namespace residua {

// Size of the resized picture, and the window of it that is returned, in its pixels.
struct Target {
    int width, height;
    int left, top, right, bottom;
};

// As Pillow 13 resizes, bit for bit: antialiased, every source pixel under an output pixel counts.
// `box` is the part of the source that is resized. RGBA is weighted by its alpha.
Image resize_pillow(const Image& image, const Box& box, const Target& target,
                    Interpolation interpolation);

// As OpenCV's resize: the nearest 2 x 2 or 4 x 4 source pixels, however much it shrinks. Bilinear
// is bit for bit OpenCV's. Bicubic follows Intel's library within OpenCV (on x86), which keeps the
// weights as they are, and differs from it by one level in a few of 100,000 values; OpenCV's own
// code elsewhere rounds the weights to 1/2048 and differs by one level in a few of 100.
Image resize_opencv(const Image& image, const Target& target, Interpolation interpolation);

}  // namespace residua
