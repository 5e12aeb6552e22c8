// JPEG (ISO 10918-1): the size from the frame header, everything but the picture left out.
#pragma once

#include <string_view>

#include "pixels/header.hpp"

namespace residua {

// Whether a marker begins a frame: C0 to CF but for the tables C4 and CC and the reserved C8.
constexpr bool starts_frame(int marker) {
    return marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
}

// Reads the segments up to the first scan into `header`. Throws BrokenPicture.
void read_jpeg_header(std::string_view data, Header& header);

// What Pillow's reader makes of a cleaned JPEG: how many components, and which size.
struct JpegFrame {
    uint32_t width = 0, height = 0;
    int components = 0;  // 1, 3 or 4
};

// Reads the markers as Pillow does, and refuses what it refuses, which libjpeg might decode. Throws
// BrokenPicture.
JpegFrame read_jpeg_frame(std::string_view content);

}  // namespace residua
