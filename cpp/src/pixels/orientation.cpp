#include "pixels/orientation.hpp"

#include <cstring>
#include <utility>

#include "pixels/header.hpp"

namespace residua {

namespace {

constexpr uint32_t orientation_tag = 0x0112, short_type = 3, long_type = 4;

int search_directory(std::string_view block, bool little) {
    const auto read16 = [&](size_t at) {
        return little ? read_le16(block, at) : read_be16(block, at);
    };
    const auto read32 = [&](size_t at) {
        return little ? read_le32(block, at) : read_be32(block, at);
    };
    const size_t start = read32(4);
    const uint32_t count = read16(start);
    for (uint32_t index = 0; index < count; ++index) {
        const size_t entry = start + 2 + 12 * size_t{index};
        const uint32_t tag = read16(entry), type = read16(entry + 2);
        if (tag != orientation_tag || (type != short_type && type != long_type)) continue;
        const uint32_t value = type == long_type ? read32(entry + 8) : read16(entry + 8);
        return 1 <= value && value <= 8 ? static_cast<int>(value) : 1;
    }
    return 1;
}

}  // namespace

int read_orientation(std::string_view block) {
    if (begins_with(block, std::string_view("Exif\0\0", 6))) block.remove_prefix(6);
    const bool little = begins_with(block, "II");
    if (!little && !begins_with(block, "MM")) return 1;
    try {
        return search_directory(block, little);
    } catch (const EndsEarly&) {
        return 1;
    }
}

Image turn_upright(Image image, int orientation) {
    if (orientation < 2 || orientation > 8) return image;
    const int width = image.width(), height = image.height(), channels = image.channels();
    const bool swapped = swaps_sides(orientation);
    Image upright(swapped ? height : width, swapped ? width : height, channels);
    // Which edges of the stored picture the upright one's x and y run along (EXIF 2.32, table 6).
    const bool from_right =
        orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
    const bool from_bottom =
        orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
    for (int y = 0; y < upright.height(); ++y) {
        uint8_t* target = upright.row(y);
        for (int x = 0; x < upright.width(); ++x, target += channels) {
            const int column = swapped ? y : x, row = swapped ? x : y;
            const uint8_t* source = image.pixel(from_right ? width - 1 - column : column,
                                                from_bottom ? height - 1 - row : row);
            std::memcpy(target, source, static_cast<size_t>(channels));
        }
    }
    return upright;
}

Box turn_box(const Box& box, int width, int height, int orientation) {
    Box turned = box;
    if (orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8)
        turned.left = width - box.right, turned.right = width - box.left;
    if (orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7)
        turned.top = height - box.bottom, turned.bottom = height - box.top;
    if (swaps_sides(orientation)) {
        std::swap(turned.left, turned.top);
        std::swap(turned.right, turned.bottom);
    }
    return turned;
}

}  // namespace residua
