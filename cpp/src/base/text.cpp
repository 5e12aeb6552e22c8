#include "base/text.hpp"

#include <cstdio>

namespace residua {

namespace {

// The number of bytes of the UTF-8 sequence at `position`; 0 where there is none.
size_t measure_utf8(std::string_view text, size_t position) {
    const auto byte = [&](size_t place) {
        return place < text.size() ? static_cast<unsigned char>(text[place]) : 0u;
    };
    const unsigned first = byte(position);
    if (first < 0x80) return 1;
    const size_t length = first >= 0xC2 && first < 0xE0   ? 2
                          : first >= 0xE0 && first < 0xF0 ? 3
                          : first >= 0xF0 && first < 0xF5 ? 4
                                                          : 0;
    for (size_t index = 1; index < length; ++index)
        if ((byte(position + index) & 0xC0) != 0x80) return 0;
    const unsigned second = byte(position + 1);
    // Too long a form, a surrogate, or beyond the last code point.
    if ((first == 0xE0 && second < 0xA0) || (first == 0xED && second >= 0xA0) ||
        (first == 0xF0 && second < 0x90) || (first == 0xF4 && second >= 0x90))
        return 0;
    return length;
}

std::string format(const char* pattern, unsigned value) {
    char buffer[16];
    std::snprintf(buffer, sizeof buffer, pattern, value);
    return buffer;
}

// Calls `ordinary` with each character, and appends each byte that is no part of one to `result`.
template <typename Ordinary>
void walk(std::string_view text, std::string& result, Ordinary ordinary) {
    for (size_t position = 0; position < text.size();) {
        const size_t length = measure_utf8(text, position);
        if (length == 0) {
            result += format("\\udc%02x", static_cast<unsigned char>(text[position++]));
            continue;
        }
        ordinary(text.substr(position, length));
        position += length;
    }
}

}  // namespace

void append_utf8(std::string& text, unsigned code) {
    const auto tail = [&](int shift) {
        text += static_cast<char>(0x80 | ((code >> shift) & 0x3F));
    };
    if (code < 0x80) {
        text += static_cast<char>(code);
    } else if (code < 0x800) {
        text += static_cast<char>(0xC0 | (code >> 6));
        tail(0);
    } else if (code < 0x10000) {
        text += static_cast<char>(0xE0 | (code >> 12));
        tail(6), tail(0);
    } else {
        text += static_cast<char>(0xF0 | ((code >> 18) & 7));
        tail(12), tail(6), tail(0);
    }
}

std::string quote_python(std::string_view text) {
    const bool apostrophe = text.find('\'') != std::string_view::npos;
    const char quote = apostrophe && text.find('"') == std::string_view::npos ? '"' : '\'';
    std::string result(1, quote);
    walk(text, result, [&](std::string_view letter) {
        const auto first = static_cast<unsigned char>(letter[0]);
        const unsigned second = letter.size() == 2 ? static_cast<unsigned char>(letter[1]) : 0;
        if (letter[0] == quote || letter[0] == '\\')
            (result += '\\') += letter;
        else if (letter == "\n" || letter == "\r" || letter == "\t")
            result += letter == "\n" ? "\\n" : letter == "\r" ? "\\r" : "\\t";
        else if (first < 0x20 || first == 0x7F)
            result += format("\\x%02x", first);
        else if (first == 0xC2 && (second <= 0xA0 || second == 0xAD))
            result += format("\\x%02x", second);
        else
            result += letter;
    });
    return result + quote;
}

std::string quote_json(std::string_view text) {
    static constexpr std::string_view special = "\"\\\b\f\n\r\t", names = "\"\\bfnrt";
    std::string result = "\"";
    walk(text, result, [&](std::string_view letter) {
        const size_t index = special.find(letter[0]);
        if (index != std::string_view::npos)
            (result += '\\') += names[index];
        else if (static_cast<unsigned char>(letter[0]) < 0x20)
            result += format("\\u%04x", static_cast<unsigned char>(letter[0]));
        else
            result += letter;
    });
    return result + '"';
}

std::string spell_bytes_out(std::string_view text) {
    std::string result;
    walk(text, result, [&](std::string_view letter) { result += letter; });
    return result;
}

std::string spell_score(double score) {
    char buffer[32];
    std::snprintf(buffer, sizeof buffer, "%.5f", score);
    std::string text = buffer;
    // Python changes to exponents below 0.0001, and of five decimals one digit is left then.
    if (text.compare(0, 6, "0.0000") == 0 && text[6] != '0') return text.substr(6) + "e-05";
    while (text.back() == '0' && text[text.size() - 2] != '.') text.pop_back();
    return text;
}

std::string spell_size(uint64_t count) {
    if (count < 1000) return std::to_string(count) + " B";
    double value = static_cast<double>(count);
    const char* unit = "B";
    for (const char* next : {"kB", "MB", "GB", "TB"}) {
        if (value < 1000) break;
        value /= 1000;
        unit = next;
    }
    char buffer[32];
    std::snprintf(buffer, sizeof buffer, "%.1f %s", value, unit);
    return buffer;
}

}  // namespace residua
