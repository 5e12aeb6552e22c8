#include "predict/engine.hpp"

#include <exception>

#include "base/errors.hpp"

namespace residua {

namespace {

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

// Refuses a model that does not take the crops of its bundle, or does not name its classes.
void check_shapes(const ov::CompiledModel& model, const Bundle& bundle) {
    const ov::Output<const ov::Node> input = model.input(), output = model.output();
    const ov::PartialShape taken = input.get_partial_shape(), given = output.get_partial_shape();
    const auto side = static_cast<int64_t>(bundle.preprocess.crop_size);
    const ov::PartialShape crops{-1, side, side,
                                 static_cast<int64_t>(bundle.preprocess.channels())};
    const ov::PartialShape answers{-1, static_cast<int64_t>(bundle.classes.size())};
    if (input.get_element_type() != ov::element::u8 || !taken.compatible(crops) ||
        output.get_element_type() != ov::element::f32 || !given.compatible(answers))
        throw UserError("The export " + bundle.export_name + " takes " + taken.to_string() +
                            " and gives " + given.to_string() + ", where " + crops.to_string() +
                            " of uint8 and " + answers.to_string() + " were expected.",
                        "Make it again with: residua export");
}

}  // namespace

Run::Run(ov::CompiledModel& model, size_t capacity, const Preprocess& preprocess)
    : request_(model.create_infer_request()),
      side_(static_cast<size_t>(preprocess.crop_size)),
      channels_(static_cast<size_t>(preprocess.channels())),
      crop_bytes_(side_ * side_ * channels_) {
    crops_.resize(capacity * crop_bytes_);
}

void Run::start(size_t count) {
    request_.set_input_tensor(
        ov::Tensor(ov::element::u8, {count, side_, side_, channels_}, crops_.data()));
    request_.start_async();
}

const float* Run::wait() {
    request_.wait();
    return request_.get_output_tensor().data<const float>();
}

Engine::Engine(const Bundle& bundle, const EngineOptions& options)
    : preprocess_(bundle.preprocess) {
    ov::AnyMap settings{
        ov::hint::performance_mode(options.throughput ? ov::hint::PerformanceMode::THROUGHPUT
                                                      : ov::hint::PerformanceMode::LATENCY),
        ov::hint::inference_precision(ov::element::f32),
    };
    if (options.threads > 0) settings.insert(ov::inference_num_threads(options.threads));
    if (!options.cache.empty()) settings.insert(ov::cache_dir(options.cache));
    try {
        ov::Core core;
        model_ = core.compile_model(bundle.model, "CPU", settings);
        check_shapes(model_, bundle);
        lanes_ = model_.get_property(ov::optimal_number_of_infer_requests);
    } catch (const UserError&) {
        throw;
    } catch (const std::exception& error) {
        throw UserError(
            "OpenVINO cannot open " + bundle.model + ": " + first_line(error.what()),
            "Make the export again with the OpenVINO that this program was built with.");
    }
}

}  // namespace residua
