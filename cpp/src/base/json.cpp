#include "base/json.hpp"

#include <cmath>
#include <cstdlib>
#include <stdexcept>

#include "base/text.hpp"

namespace residua {

namespace {

constexpr int max_depth = 64;  // a hostile file must not exhaust the stack

}  // namespace

class JsonReader {
public:
    explicit JsonReader(std::string_view text) : text_(text) {}

    Json read_document() {
        Json value = read_value("", 0);
        skip_space();
        if (position_ != text_.size()) fail("something follows the value");
        return value;
    }

private:
    [[noreturn]] void fail(const std::string& what) const {
        throw std::runtime_error(what + " at byte " + std::to_string(position_));
    }

    void skip_space() {
        while (position_ < text_.size() &&
               std::string_view(" \t\r\n").find(text_[position_]) != std::string_view::npos)
            ++position_;
    }

    char peek() const { return position_ < text_.size() ? text_[position_] : '\0'; }

    void take(char wanted) {
        if (peek() != wanted) fail(std::string("'") + wanted + "' is missing");
        ++position_;
    }

    bool take_word(std::string_view word) {
        if (text_.substr(position_, word.size()) != word) return false;
        position_ += word.size();
        return true;
    }

    Json read_value(const std::string& place, int depth) {
        if (depth > max_depth) fail("it is nested too deeply");
        skip_space();
        Json value;
        value.place_ = place;
        if (peek() == '{') {
            read_object(value, depth);
        } else if (peek() == '[') {
            read_array(value, depth);
        } else if (peek() == '"') {
            value.kind_ = Json::Kind::text;
            value.text_ = read_text();
        } else if (take_word("true")) {
            value.kind_ = Json::Kind::boolean;
            value.number_ = 1;
        } else if (take_word("false")) {
            value.kind_ = Json::Kind::boolean;
        } else if (!take_word("null")) {
            value.kind_ = Json::Kind::number;
            value.number_ = read_number();
        }
        return value;
    }

    void read_object(Json& value, int depth) {
        value.kind_ = Json::Kind::object;
        take('{');
        skip_space();
        if (peek() == '}') return take('}');
        for (;;) {
            skip_space();
            const std::string name = read_text();
            skip_space();
            take(':');
            const std::string place = value.place_.empty() ? name : value.place_ + "." + name;
            value.fields_[name] = read_value(place, depth + 1);
            skip_space();
            if (peek() == '}') return take('}');
            take(',');
        }
    }

    void read_array(Json& value, int depth) {
        value.kind_ = Json::Kind::array;
        take('[');
        skip_space();
        if (peek() == ']') return take(']');
        for (;;) {
            const std::string place =
                value.place_ + "[" + std::to_string(value.items_.size()) + "]";
            value.items_.push_back(read_value(place, depth + 1));
            skip_space();
            if (peek() == ']') return take(']');
            take(',');
        }
    }

    double read_number() {
        // The grammar is checked here: strtod would also take "inf", "0x1" and a leading plus.
        const size_t start = position_;
        if (peek() == '-') ++position_;
        const size_t digits = skip_digits();
        if (digits == 0) fail("there is no value");
        if (peek() == '.') {
            ++position_;
            if (skip_digits() == 0) fail("a digit is missing");
        }
        if (peek() == 'e' || peek() == 'E') {
            ++position_;
            if (peek() == '+' || peek() == '-') ++position_;
            if (skip_digits() == 0) fail("a digit is missing");
        }
        return std::strtod(std::string(text_.substr(start, position_ - start)).c_str(), nullptr);
    }

    size_t skip_digits() {
        const size_t start = position_;
        while (peek() >= '0' && peek() <= '9') ++position_;
        return position_ - start;
    }

    std::string read_text() {
        take('"');
        std::string result;
        while (peek() != '"') {
            if (position_ >= text_.size()) fail("a text does not end");
            const char letter = text_[position_++];
            if (letter == '\\')
                append_escape(result);
            else
                result += letter;
        }
        take('"');
        return result;
    }

    void append_escape(std::string& result) {
        static constexpr std::string_view names = "\"\\/bfnrt", meanings = "\"\\/\b\f\n\r\t";
        const char name = peek();
        ++position_;
        if (name == 'u') {
            unsigned code = read_hex();
            if (code >= 0xD800 && code < 0xDC00 && take_word("\\u")) {
                const unsigned low = read_hex();
                code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
            }
            append_utf8(result, code);
            return;
        }
        const size_t index = names.find(name);
        if (index == std::string_view::npos) fail("an escape is unknown");
        result += meanings[index];
    }

    unsigned read_hex() {
        unsigned code = 0;
        for (int digit = 0; digit < 4; ++digit) {
            const size_t value =
                std::string_view("0123456789abcdef")
                    .find(static_cast<char>(peek() | ('A' <= peek() && peek() <= 'F' ? 0x20 : 0)));
            if (value == std::string_view::npos) fail("a hexadecimal digit is missing");
            code = code * 16 + static_cast<unsigned>(value);
            ++position_;
        }
        return code;
    }

    std::string_view text_;
    size_t position_ = 0;
};

Json Json::parse(std::string_view text) { return JsonReader(text).read_document(); }

const Json& Json::expect(Kind kind, const char* what) const {
    if (kind_ != kind)
        throw std::runtime_error((place_.empty() ? "the whole" : place_) + " is no " + what);
    return *this;
}

const Json* Json::find(const std::string& name) const {
    const auto found = expect(Kind::object, "object").fields_.find(name);
    return found == fields_.end() ? nullptr : &found->second;
}

const Json& Json::at(const std::string& name) const {
    const Json* value = find(name);
    if (value == nullptr)
        throw std::runtime_error((place_.empty() ? "it" : place_) + " has no field " + name);
    return *value;
}

const std::string& Json::text() const { return expect(Kind::text, "text").text_; }

double Json::number() const { return expect(Kind::number, "number").number_; }

int Json::integer() const {
    const double value = number();
    if (value != std::floor(value) || std::fabs(value) > 2e9)
        throw std::runtime_error(place_ + " is no whole number");
    return static_cast<int>(value);
}

const std::vector<Json>& Json::items() const { return expect(Kind::array, "list").items_; }

const std::map<std::string, Json>& Json::fields() const {
    return expect(Kind::object, "object").fields_;
}

}  // namespace residua
