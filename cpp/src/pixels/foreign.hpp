// Formats that are not read here, recognised so that the message can name them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace residua {

// A format that residua reads in Python and this program does not; "" where it is none of them.
std::string name_other_format(std::string_view data);

// The name of a format that residua does not read at all, or "".
std::string name_foreign_format(std::string_view data);

// The largest width and height that the pictures within an ICO or CUR declare: a bomb is called
// too large, also in a foreign format.
std::pair<uint32_t, uint32_t> read_icon_size(std::string_view data);

}  // namespace residua
