#include "predict/decoders.hpp"

#include <new>
#include <utility>

namespace residua {

Decoders::Decoders(const std::vector<Item>& items, Prepare prepare, size_t threads, size_t window)
    : items_(items), prepare_(std::move(prepare)), ring_(window) {
    for (size_t index = 0; index < threads; ++index) threads_.emplace_back([this] { work(); });
}

Decoders::~Decoders() {
    {
        const std::lock_guard<std::mutex> guard(lock_);
        stopped_ = true;
    }
    room_.notify_all();
    for (std::thread& thread : threads_) thread.join();
}

Outcome Decoders::attempt(const Item& item) const {
    Outcome outcome;
    try {
        outcome.crop = prepare_(item);
    } catch (const ImageError& error) {
        outcome.error = error.what();
        outcome.reason = error.reason;
    } catch (const std::bad_alloc&) {
        outcome.error = item.name + " does not fit into memory.";
        outcome.reason = "too-large";
    }
    return outcome;
}

void Decoders::work() {
    std::unique_lock<std::mutex> guard(lock_);
    for (;;) {
        room_.wait(guard, [&] {
            return stopped_ || begun_ == items_.size() || begun_ < taken_ + ring_.size();
        });
        if (stopped_ || begun_ == items_.size()) return;
        const size_t index = begun_++;
        guard.unlock();
        Outcome outcome = attempt(items_[index]);
        guard.lock();
        ring_[index % ring_.size()] = std::move(outcome);
        ready_.notify_all();
    }
}

Outcome Decoders::take() {
    std::unique_lock<std::mutex> guard(lock_);
    std::optional<Outcome>& slot = ring_[taken_ % ring_.size()];
    ready_.wait(guard, [&] { return slot.has_value(); });
    Outcome outcome = std::move(*slot);
    slot.reset();
    ++taken_;
    room_.notify_all();
    return outcome;
}

}  // namespace residua
