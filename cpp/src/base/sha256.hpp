// SHA-256 (FIPS 180-4) of a file.
#pragma once

#include <string>

namespace residua {

// The digest in hexadecimal. Throws std::system_error where the file cannot be read.
std::string sha256_of(const std::string& path);

}  // namespace residua
