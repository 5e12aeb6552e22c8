// JSON (RFC 8259) read into a tree: as much of it as bundle.json needs.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace residua {

class Json {
public:
    enum class Kind { null, boolean, number, text, array, object };

    // Reads a whole document. Throws std::runtime_error that says where it is no JSON.
    static Json parse(std::string_view text);

    Kind kind() const { return kind_; }
    bool is_null() const { return kind_ == Kind::null; }
    const std::string& place() const { return place_; }

    // These throw std::runtime_error, which names the field, where the value is of another kind.
    const Json& at(const std::string& name) const;
    const Json* find(const std::string& name) const;  // nullptr where there is no such field
    const std::string& text() const;
    double number() const;
    int integer() const;
    const std::vector<Json>& items() const;
    const std::map<std::string, Json>& fields() const;

private:
    friend class JsonReader;

    const Json& expect(Kind kind, const char* what) const;

    Kind kind_ = Kind::null;
    double number_ = 0;  // of a boolean: 0 or 1
    std::string text_;
    std::vector<Json> items_;
    std::map<std::string, Json> fields_;
    std::string place_;  // where it stands, as "preprocess.crop_size"
};

}  // namespace residua
