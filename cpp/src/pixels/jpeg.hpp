// JPEG decoded by libjpeg, by the rules of Pillow.
#pragma once

#include "pixels/header.hpp"
#include "pixels/image.hpp"

namespace residua {

// Returns grey (1 channel) or RGB (3): `header` is of read_jpeg_header. `scale` 2, 4 or 8 lets
// libjpeg compute the picture at that part of its size. Ink (CMYK, YCCK) is converted to RGB as
// Pillow does, without a colour profile.
//
// libjpeg's warnings are no errors, its errors are, and so is a file that ends before the last row.
// Throws BrokenPicture or std::bad_alloc.
Image decode_jpeg(const Header& header, int scale);

}  // namespace residua
