// Text as Python writes it: JSON, lists, numbers, names that are no UTF-8.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace residua {

// Appends a code point as UTF-8.
void append_utf8(std::string& text, unsigned code);

// Like Python's repr: in quotes, with what cannot be printed spelt out.
std::string quote_python(std::string_view text);

// Like json.dumps(text, ensure_ascii=False).
std::string quote_json(std::string_view text);

// The text with each byte that is no UTF-8 spelt as \udcXX, as residua spells file names.
std::string spell_bytes_out(std::string_view text);

// A score with at most five decimals, the shortest way: 0.95222, 0.5, 1.0, 2e-05.
std::string spell_score(double score);

// A number of bytes in decimal units: 23.4 MB.
std::string spell_size(uint64_t count);

}  // namespace residua
