// What the header of a picture file says, and how bytes are read from one.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace residua {

// A header that makes no sense, or content that cannot be decoded; the message completes
// "photo.jpg is a damaged PNG: it …". It never leaves `pixels`.
struct BrokenPicture : std::runtime_error {
    using std::runtime_error::runtime_error;
};

struct EndsEarly : BrokenPicture {
    EndsEarly() : BrokenPicture("ends before the picture begins") {}
};

struct Header {
    uint32_t width = 0, height = 0;  // as stored
    uint64_t frames = 1;
    int orientation = 1;  // EXIF's number 1…8 of how to turn them
    // The file without what says nothing of pixels: `cleaned`, or the file itself where there was
    // nothing to leave out.
    std::string cleaned;
    std::string_view content;

    Header() = default;
    Header(const Header&) = delete;  // `content` may refer to `cleaned`
    Header& operator=(const Header&) = delete;
};

// Each throws EndsEarly where the data end before it.
inline uint8_t read_byte(std::string_view data, size_t position) {
    if (position >= data.size()) throw EndsEarly();
    return static_cast<uint8_t>(data[position]);
}

inline uint32_t read_be16(std::string_view data, size_t position) {
    return uint32_t{read_byte(data, position)} << 8 | read_byte(data, position + 1);
}

inline uint32_t read_be32(std::string_view data, size_t position) {
    return read_be16(data, position) << 16 | read_be16(data, position + 2);
}

inline uint32_t read_le16(std::string_view data, size_t position) {
    return uint32_t{read_byte(data, position + 1)} << 8 | read_byte(data, position);
}

inline uint32_t read_le32(std::string_view data, size_t position) {
    return read_le16(data, position + 2) << 16 | read_le16(data, position);
}

inline bool begins_with(std::string_view data, std::string_view start, size_t position = 0) {
    return position <= data.size() && data.substr(position, start.size()) == start;
}

}  // namespace residua
