// The network in OpenVINO: batches of crops in, probabilities out, several under way at once.
#pragma once

#include <cstdint>
#include <openvino/openvino.hpp>
#include <string>
#include <vector>

#include "bundle/bundle.hpp"

namespace residua {

struct EngineOptions {
    bool throughput = false;  // many runs under way, instead of one that is quick
    int threads = 0;          // 0: all cores
    std::string cache;        // folder for compiled graphs; none where empty
};

// One run of the network; it belongs to a lane and is used again.
class Run {
public:
    Run(ov::CompiledModel& model, size_t capacity, const Preprocess& preprocess);

    // Where the crop number `index` of the coming run is put.
    uint8_t* slot(size_t index) { return crops_.data() + index * crop_bytes_; }

    // Starts with the first `count` crops.
    void start(size_t count);

    // Waits; returns the probabilities [count, classes], which last until the next start. Throws
    // std::runtime_error where OpenVINO fails.
    const float* wait();

private:
    ov::InferRequest request_;
    std::vector<uint8_t> crops_;
    size_t side_, channels_, crop_bytes_;
};

class Engine {
public:
    // Compiles the bundle's model for the processor, in float32 as residua does: OpenVINO by itself
    // would take bfloat16 where the processor has it. Throws UserError.
    Engine(const Bundle& bundle, const EngineOptions& options);

    size_t lanes() const { return lanes_; }  // how many runs it pays to have under way
    Run make_run(size_t capacity) { return {model_, capacity, preprocess_}; }

private:
    ov::CompiledModel model_;
    Preprocess preprocess_;
    size_t lanes_ = 1;
};

}  // namespace residua
