#include "base/sha256.hpp"

#include <array>
#include <cerrno>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <system_error>
#include <vector>

namespace residua {

namespace {

// The first 32 bits of the fractional parts of roots of the first primes: computed, since a table
// of 64 numbers would have to be trusted. `long double` has bits to spare for it.
struct Constants {
    std::array<uint32_t, 64> rounds{};
    std::array<uint32_t, 8> start{};

    Constants() {
        size_t found = 0;
        for (unsigned number = 2; found < rounds.size(); ++number) {
            bool prime = true;
            for (unsigned divisor = 2; divisor * divisor <= number; ++divisor)
                prime = prime && number % divisor != 0;
            if (!prime) continue;
            rounds[found] = fraction(std::cbrt(static_cast<long double>(number)));
            if (found < start.size())
                start[found] = fraction(std::sqrt(static_cast<long double>(number)));
            ++found;
        }
    }

    static uint32_t fraction(long double value) {
        return static_cast<uint32_t>((value - std::floor(value)) * 4294967296.0L);
    }
};

const Constants constants;

uint32_t rotate(uint32_t word, int places) { return word >> places | word << (32 - places); }

void absorb(std::array<uint32_t, 8>& state, const unsigned char* block) {
    std::array<uint32_t, 64> words{};
    for (size_t index = 0; index < 16; ++index) {
        const unsigned char* byte = block + 4 * index;
        words[index] = uint32_t{byte[0]} << 24 | uint32_t{byte[1]} << 16 | uint32_t{byte[2]} << 8 |
                       uint32_t{byte[3]};
    }
    for (size_t index = 16; index < 64; ++index) {
        const uint32_t a = words[index - 15], b = words[index - 2];
        words[index] = words[index - 16] + (rotate(a, 7) ^ rotate(a, 18) ^ a >> 3) +
                       words[index - 7] + (rotate(b, 17) ^ rotate(b, 19) ^ b >> 10);
    }
    auto [a, b, c, d, e, f, g, h] = state;
    for (size_t index = 0; index < 64; ++index) {
        const uint32_t first = h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) +
                               ((e & f) ^ (~e & g)) + constants.rounds[index] + words[index];
        const uint32_t second =
            (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
        h = g, g = f, f = e, e = d + first, d = c, c = b, b = a, a = first + second;
    }
    const std::array<uint32_t, 8> added{a, b, c, d, e, f, g, h};
    for (size_t index = 0; index < 8; ++index) state[index] += added[index];
}

}  // namespace

std::string sha256_of(const std::string& path) {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"),
                                                               std::fclose);
    if (!file) throw std::system_error(errno, std::generic_category());
    std::array<uint32_t, 8> state = constants.start;
    std::vector<unsigned char> buffer(1 << 20);
    uint64_t total = 0;
    for (;;) {
        const size_t count = std::fread(buffer.data(), 1, buffer.size(), file.get());
        if (std::ferror(file.get())) throw std::system_error(errno, std::generic_category());
        total += count;
        const size_t whole = count / 64 * 64;
        for (size_t start = 0; start < whole; start += 64) absorb(state, buffer.data() + start);
        if (count == buffer.size()) continue;
        // The end: a one, zeros, and the length in bits in the last eight bytes of a block.
        std::array<unsigned char, 128> tail{};
        const size_t rest = count - whole;
        std::memcpy(tail.data(), buffer.data() + whole, rest);
        tail[rest] = 0x80;
        const size_t size = rest < 56 ? 64 : 128;
        for (size_t index = 0; index < 8; ++index)
            tail[size - 1 - index] = static_cast<unsigned char>(total * 8 >> 8 * index);
        for (size_t start = 0; start < size; start += 64) absorb(state, tail.data() + start);
        break;
    }
    std::string digest;
    for (const uint32_t word : state) {
        char text[9];
        std::snprintf(text, sizeof text, "%08x", word);
        digest += text;
    }
    return digest;
}

}  // namespace residua
