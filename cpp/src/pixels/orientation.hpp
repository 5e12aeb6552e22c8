// EXIF's orientation: read from its block, and applied to a picture and to a part of it.
#pragma once

#include <string_view>

#include "pixels/image.hpp"

namespace residua {

// The orientation, 1…8, of an EXIF block that begins with "Exif\0\0" or a TIFF header; 1 where it
// is unknown. Whatever is wrong with the block, the picture is left as it is.
int read_orientation(std::string_view block);

// Whether the orientation exchanges width and height.
inline bool swaps_sides(int orientation) { return orientation >= 5 && orientation <= 8; }

Image turn_upright(Image image, int orientation);

// Where a box of a picture of `width` x `height` comes to lie.
Box turn_box(const Box& box, int width, int height, int orientation);

}  // namespace residua
