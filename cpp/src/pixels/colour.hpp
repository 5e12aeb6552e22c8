// One rule for every kind of pixel: 8 bits, and grey, RGB or RGBA, as Pillow converts them.
#pragma once

#include "pixels/image.hpp"
#include "pixels/png.hpp"
#include "pixels/preprocess.hpp"

namespace residua {

// Alpha is dropped, not composited: the colours beneath are kept. Grey is the luma of ITU-R 601.
// 16-bit samples keep their high byte. Where alpha is wanted and there is none, it is 255.

// Brings a grey picture (1 channel) or an RGB one (3) to the wanted colour.
Image convert(Image image, Colour colour);

// Throws BrokenPicture where a palette has more alphas than entries and they are wanted.
Image convert(PngPicture picture, Colour colour);

}  // namespace residua
