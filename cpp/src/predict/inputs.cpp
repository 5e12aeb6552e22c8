#include "predict/inputs.hpp"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <memory>
#include <system_error>

#include "pixels/sniff.hpp"

namespace residua {

namespace {

namespace fs = std::filesystem;
using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

constexpr const char* suffixes[] = {".jpg",  ".jpeg", ".jpe", ".jfif", ".png",
                                    ".webp", ".bmp",  ".gif", ".tif",  ".tiff"};
constexpr size_t sniffed = 64;  // bytes; every format shows itself in the first sixteen

File open_file(const std::string& path) { return {std::fopen(path.c_str(), "rb"), std::fclose}; }

bool has_picture_suffix(const std::string& path) {
    std::string suffix = fs::path(path).extension().string();
    for (char& letter : suffix)
        letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
    return std::any_of(std::begin(suffixes), std::end(suffixes),
                       [&](const char* known) { return suffix == known; });
}

bool begins_as_picture(const std::string& path) {
    std::error_code error;
    if (!fs::is_regular_file(path, error)) return false;
    const File file = open_file(path);
    char head[sniffed];
    return file && looks_like_picture({head, std::fread(head, 1, sizeof head, file.get())});
}

// As Python's pathlib spells a path: single slashes, no "." on the way, none at the end.
std::string tidy(const std::string& path) {
    std::string result = !path.empty() && path[0] == '/' ? "/" : "";
    for (size_t start = 0; start < path.size();) {
        const size_t end = std::min(path.find('/', start), path.size());
        const std::string part = path.substr(start, end - start);
        start = end + 1;
        if (part.empty() || part == ".") continue;
        if (!result.empty() && result.back() != '/') result += '/';
        result += part;
    }
    return result.empty() ? "." : result;
}

std::string join(const std::string& folder, const std::string& name) {
    if (folder == ".") return name;
    return folder.back() == '/' ? folder + name : folder + '/' + name;
}

struct Found {
    std::vector<Item> pictures, closed;  // folders that cannot be searched come last
};

void walk(const std::string& folder, Found& found) {
    std::vector<std::string> files, folders;
    std::error_code error;
    for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
         entry.increment(error)) {
        const std::string name = entry->path().filename().string();
        if (name[0] == '.') continue;
        std::error_code ignored;
        const bool link = entry->is_symlink(ignored);
        if (entry->is_directory(ignored)) {
            if (!link) folders.push_back(name);
        } else if (link || entry->is_regular_file(ignored)) {
            files.push_back(name);  // a pipe or a device would be waited for
        }
    }
    if (error) {
        found.closed.push_back({folder, folder + ": " + std::strerror(error.value())});
        return;
    }
    std::sort(files.begin(), files.end());
    std::sort(folders.begin(), folders.end());
    for (const std::string& name : files) {
        const std::string path = join(folder, name);
        if (has_picture_suffix(path) || begins_as_picture(path))
            found.pictures.push_back({path, ""});
    }
    for (const std::string& name : folders) walk(join(folder, name), found);
}

void expand(const std::string& path, std::vector<Item>& items) {
    std::error_code error;
    if (!fs::is_directory(path, error)) {
        items.push_back({path, ""});
        return;
    }
    Found found;
    walk(tidy(path), found);
    if (found.pictures.empty() && found.closed.empty())
        found.closed.push_back(
            {tidy(path), tidy(path) + ": there is no picture in this folder (JPEG, PNG)"});
    std::move(found.pictures.begin(), found.pictures.end(), std::back_inserter(items));
    std::move(found.closed.begin(), found.closed.end(), std::back_inserter(items));
}

}  // namespace

std::vector<Item> list_items(const std::vector<std::string>& paths) {
    std::vector<Item> items;
    for (const std::string& path : paths) {
        if (path != "-") {
            expand(path, items);
            continue;
        }
        for (std::string line; std::getline(std::cin, line);) {
            if (!line.empty() && line.back() == '\r') line.pop_back();
            if (!line.empty()) items.push_back({line, ""});
        }
    }
    return items;
}

std::string read_file(const Item& item, const Limits& limits) {
    if (!item.problem.empty()) throw ImageError("unreadable", item.problem);
    const auto refuse = [&](int code) {
        return ImageError("unreadable", item.name + ": " + std::strerror(code));
    };
    std::error_code error;
    const bool regular = fs::is_regular_file(item.name, error);
    const uintmax_t size = regular ? fs::file_size(item.name, error) : 0;
    if (regular && !error) check_bytes(size, limits, item.name);
    errno = 0;
    const File file = open_file(item.name);
    if (!file) throw refuse(errno);
    // One byte more than allowed, so that the limits see it; pipes have no size to ask.
    const size_t most = static_cast<size_t>(limits.max_bytes) + 1;
    std::string data;
    for (size_t room = regular ? static_cast<size_t>(size) + 1 : 1 << 16; data.size() < most;
         room = std::max<size_t>(data.size(), 1 << 16)) {
        const size_t held = data.size();
        data.resize(std::min(held + room, most));
        const size_t count = std::fread(data.data() + held, 1, data.size() - held, file.get());
        const bool full = held + count == data.size();
        data.resize(held + count);
        if (std::ferror(file.get())) throw refuse(errno);
        if (!full) break;
    }
    return data;
}

}  // namespace residua
