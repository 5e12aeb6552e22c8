// Threads that make crops ahead of whoever takes them, in order, in bounded memory.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "predict/inputs.hpp"

namespace residua {

// The crop of one picture, or why there is none.
struct Outcome {
    std::vector<uint8_t> crop;
    std::string error, reason;
};

class Decoders {
public:
    // Makes an item's crop; runs in several threads at once. May throw ImageError.
    using Prepare = std::function<std::vector<uint8_t>(const Item&)>;

    // Starts `threads`; they run `window` pictures ahead at the most. `items` must outlive this.
    Decoders(const std::vector<Item>& items, Prepare prepare, size_t threads, size_t window);
    ~Decoders();
    Decoders(const Decoders&) = delete;
    Decoders& operator=(const Decoders&) = delete;

    // The outcome of the next item: called once for each.
    Outcome take();

private:
    void work();
    Outcome attempt(const Item& item) const;

    const std::vector<Item>& items_;
    const Prepare prepare_;
    std::mutex lock_;
    std::condition_variable room_, ready_;
    std::vector<std::optional<Outcome>> ring_;  // the outcome of item i stands at i % window
    size_t begun_ = 0, taken_ = 0;
    bool stopped_ = false;
    std::vector<std::thread> threads_;
};

}  // namespace residua
