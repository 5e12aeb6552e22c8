// Where a crop lies: sizes and offsets exactly as the reference of each weight family has them.
#pragma once

#include "pixels/preprocess.hpp"

namespace residua {

// The whole picture is resized to `width` x `height`; the crop begins at `left`, `top`. A negative
// offset means so many pixels of padding before the picture.
struct Layout {
    double width, height;  // whole numbers, perhaps larger than an int holds
    int left, top;
};

Layout lay_out(int width, int height, const Preprocess& preprocess);

}  // namespace residua
