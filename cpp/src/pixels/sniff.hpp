// What a file is, by its content and never by its name.
#pragma once

#include <string>
#include <string_view>

#include "pixels/header.hpp"
#include "pixels/limits.hpp"

namespace residua {

enum class Format { jpeg, png };

const char* name_of(Format format);

// Reads the header of a picture into `header`; nothing is decoded. Throws ImageError where the
// content is no JPEG or PNG, makes no sense, or declares more than the limits admit.
Format sniff(std::string_view data, const Limits& limits, const std::string& name, Header& header);

// Whether the first bytes of a file are those of a picture of any format that residua reads, in
// Python, or of a bomb: such files are listed in a folder whatever they are called.
bool looks_like_picture(std::string_view head);

}  // namespace residua
