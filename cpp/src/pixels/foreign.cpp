#include "pixels/foreign.hpp"

#include <algorithm>

#include "pixels/header.hpp"

namespace residua {

namespace {

using namespace std::string_view_literals;

struct Magic {
    std::string_view start;
    const char* name;
};

constexpr Magic others[] = {
    {"GIF87a"sv, "GIF"}, {"GIF89a"sv, "GIF"}, {"II*\0"sv, "TIFF"},
    {"MM\0*"sv, "TIFF"}, {"II+\0"sv, "TIFF"}, {"MM\0+"sv, "TIFF"},
};

// Where several begin alike, the longer comes first.
constexpr Magic foreign[] = {
    {"\0\0\0\x0cJXL \r\n\x87\n"sv, "JPEG XL"},
    {"\0\0\0\x0cjP  \r\n\x87\n"sv, "JPEG 2000"},
    {"\xff\x4f\xff\x51"sv, "JPEG 2000"},
    {"\xff\x0a"sv, "JPEG XL"},
    {"icns"sv, "ICNS"},
    {"8BPS"sv, "PSD"},
    {"qoif"sv, "QOI"},
    {"DDS "sv, "DDS"},
    {"v/1\x01"sv, "OpenEXR"},
    {"#?RADIANCE"sv, "Radiance HDR"},
    {"\x01\xda"sv, "SGI"},
    {"\0\0\1\0"sv, "ICO"},
    {"\0\0\2\0"sv, "CUR"},
    {"%PDF"sv, "PDF"},
    {"%!PS"sv, "PostScript"},
    {"<?xml"sv, "XML or SVG"},
    {"<svg"sv, "SVG"},
    {"<!DOCTYPE"sv, "HTML"},
    {"<!doctype"sv, "HTML"},
    {"<html"sv, "HTML"},
    {"PK\x03\x04"sv, "ZIP"},
    {"\x1f\x8b"sv, "gzip"},
    {"\x1a\x45\xdf\xa3"sv, "Matroska or WebM video"},
    {"P1"sv, "PNM"},
    {"P2"sv, "PNM"},
    {"P3"sv, "PNM"},
    {"P4"sv, "PNM"},
    {"P5"sv, "PNM"},
    {"P6"sv, "PNM"},
    {"P7"sv, "PNM"},
    {"\x0a\x05\x01"sv, "PCX"},
};

constexpr Magic brands[] = {
    {"avif"sv, "AVIF"}, {"avis"sv, "AVIF"}, {"heic"sv, "HEIC"}, {"heix"sv, "HEIC"},
    {"hevc"sv, "HEIC"}, {"mif1"sv, "HEIF"}, {"msf1"sv, "HEIF"},
};

}  // namespace

std::string name_other_format(std::string_view data) {
    if (begins_with(data, "RIFF") && begins_with(data, "WEBP", 8)) return "WebP";
    // Two letters prove nothing; the length of the header after them is a small number.
    if (begins_with(data, "BM") && begins_with(data, "\0\0\0"sv, 15)) return "BMP";
    for (const Magic& magic : others)
        if (begins_with(data, magic.start)) return magic.name;
    return "";
}

std::string name_foreign_format(std::string_view data) {
    for (const Magic& magic : foreign)
        if (begins_with(data, magic.start)) return magic.name;
    if (begins_with(data, "ftyp", 4)) {
        for (const Magic& brand : brands)
            if (begins_with(data, brand.start, 8)) return brand.name;
        return "MP4 or QuickTime video";
    }
    if (begins_with(data, "\x11\xaf", 4) || begins_with(data, "\x12\xaf", 4)) return "FLI or FLC";
    constexpr std::string_view tga_end = "TRUEVISION-XFILE.\0"sv;
    if (data.size() >= tga_end.size() && data.substr(data.size() - tga_end.size()) == tga_end)
        return "TGA";
    return "";
}

std::pair<uint32_t, uint32_t> read_icon_size(std::string_view data) {
    uint32_t width = 0, height = 0;
    try {
        const uint32_t count = read_le16(data, 4);
        for (uint32_t index = 0; index < count; ++index) {
            const size_t offset = read_le32(data, 6 + 16 * size_t{index} + 12);
            const bool png = begins_with(data, "\x89PNG", offset);
            const size_t place = offset + (png ? 16 : 4);
            const uint32_t wide = png ? read_be32(data, place) : read_le32(data, place);
            const uint32_t high = png ? read_be32(data, place + 4) : read_le32(data, place + 4);
            width = std::max(width, wide), height = std::max(height, high);
        }
    } catch (const EndsEarly&) {
        // What was found so far is the answer.
    }
    return {width, height};
}

}  // namespace residua
