// PNG (ISO 15948): the size from IHDR, ancillary chunks left out.
#pragma once

#include <string_view>

#include "pixels/header.hpp"

namespace residua {

constexpr std::string_view png_signature = "\x89PNG\r\n\x1a\n";

// Reads the chunks into `header`; those that make the picture are kept as they are, checksums and
// all. Of an animated PNG the default picture is decoded, which is the first frame of nearly all.
// Throws BrokenPicture.
void read_png_header(std::string_view data, Header& header);

}  // namespace residua
