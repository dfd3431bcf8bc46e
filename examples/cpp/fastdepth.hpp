// Depth from one camera: files of fastdepth-export, run by ONNX Runtime. See README.md.
//
//     fastdepth::DepthModel model("mnv2-64-dws.onnx", 2);
//     std::vector<float> depth = model({rgb, height, width});  // [m], row by row
//
// What is wrong with a file or an image is a std::runtime_error with one line.

#pragma once

#include <onnxruntime_cxx_api.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace fastdepth {

struct Size {
  int height, width;
};

// Pixels of `channels` values each, row by row.
template <typename T>
struct Map {
  Size size;
  int channels;
  std::vector<T> values;

  Map(Size s, int c) : size(s), channels(c), values(size_t(s.height) * s.width * c) {}
  T* row(int y) { return values.data() + size_t(y) * size.width * channels; }
  const T* row(int y) const { return values.data() + size_t(y) * size.width * channels; }
};

// An image of the caller's: RGB bytes without padding between rows.
struct Image {
  const uint8_t* rgb;
  int height, width;
};

// The one resize, "area-down-bilinear-up": the same arithmetic as OpenCV's INTER_AREA and
// INTER_LINEAR, which training and Python use.
namespace resizing {

template <typename T>
T rounded(float value);
template <>
inline uint8_t rounded<uint8_t>(float value) {
  return uint8_t(std::clamp(std::lrintf(value), 0L, 255L));  // half to even
}
template <>
inline float rounded<float>(float value) { return value; }

// Which part of a source pixel goes into a target pixel.
struct Share {
  int to, from;
  float part;
};

inline std::vector<Share> shares(int from, int to) {
  std::vector<Share> found;
  const double scale = double(from) / to;
  for (int target = 0; target < to; ++target) {
    const double begin = target * scale, end = begin + scale;
    const double cell = std::min(scale, from - begin);
    int first = int(std::ceil(begin)), last = std::min(int(std::floor(end)), from - 1);
    first = std::min(first, last);
    if (first - begin > 1e-3)
      found.push_back({target, first - 1, float((first - begin) / cell)});
    for (int each = first; each < last; ++each) found.push_back({target, each, float(1 / cell)});
    if (end - last > 1e-3)
      found.push_back({target, last, float(std::min(std::min(end - last, 1.0), cell) / cell)});
  }
  return found;
}

// Whole numbers of source pixels for each target pixel.
template <typename T>
Map<T> average(const Map<T>& from, Size to) {
  const int down = from.size.height / to.height, across = from.size.width / to.width;
  const int channels = from.channels, area = down * across;
  Map<T> out(to, channels);
  for (int y = 0; y < to.height; ++y)
    for (int x = 0; x < to.width; ++x)
      for (int c = 0; c < channels; ++c) {
        std::conditional_t<std::is_same_v<T, uint8_t>, int, float> sum = 0;
        for (int dy = 0; dy < down; ++dy) {
          const T* row = from.row(y * down + dy) + size_t(x) * across * channels + c;
          for (int dx = 0; dx < across; ++dx) sum += row[dx * channels];
        }
        T& answer = out.row(y)[x * channels + c];
        if (std::is_same_v<T, uint8_t> && down == 2 && across == 2)
          answer = T((int(sum) + 2) >> 2);  // half up, as OpenCV has it for this case alone
        else
          answer = rounded<T>(float(sum) * (1.0f / float(area)));
      }
  return out;
}

template <typename T>
Map<T> area(const Map<T>& from, Size to) {
  if (from.size.height % to.height == 0 && from.size.width % to.width == 0)
    return average(from, to);
  const auto columns = shares(from.size.width, to.width);
  const auto rows = shares(from.size.height, to.height);
  const int channels = from.channels, length = to.width * channels;
  Map<T> out(to, channels);
  std::vector<float> line(length), sum(length, 0.0f);
  for (size_t i = 0; i < rows.size(); ++i) {
    std::fill(line.begin(), line.end(), 0.0f);
    const T* source = from.row(rows[i].from);
    for (const Share& each : columns)
      for (int c = 0; c < channels; ++c)
        line[each.to * channels + c] += float(source[each.from * channels + c]) * each.part;
    const bool first = i == 0 || rows[i - 1].to != rows[i].to;
    for (int k = 0; k < length; ++k) sum[k] = (first ? 0.0f : sum[k]) + rows[i].part * line[k];
    if (i + 1 == rows.size() || rows[i + 1].to != rows[i].to)
      for (int k = 0; k < length; ++k) out.row(rows[i].to)[k] = rounded<T>(sum[k]);
  }
  return out;
}

// Two neighbours of a target pixel, and the weights of both.
template <typename W>
struct Neighbours {
  int first, second;
  W before, after;
};

// Weights are fixed-point numbers of 11 bits for bytes, else floats. Beyond the outermost pixel
// OpenCV takes it once along a row, and twice along a column, which rounds otherwise.
template <typename W>
std::vector<Neighbours<W>> neighbours(int from, int to, bool once) {
  std::vector<Neighbours<W>> found;
  const double scale = double(from) / to;
  for (int target = 0; target < to; ++target) {
    float place = float((target + 0.5) * scale - 0.5);
    const int below = int(std::floor(place));
    place -= float(below);
    if (once && (below < 0 || below >= from - 1)) place = 0;
    const int first = std::clamp(below, 0, from - 1), second = std::clamp(below + 1, 0, from - 1);
    if constexpr (std::is_same_v<W, int>)
      found.push_back({first, second, int(std::lrintf((1 - place) * 2048)),
                       int(std::lrintf(place * 2048))});
    else
      found.push_back({first, second, 1 - place, place});
  }
  return found;
}

template <typename T>
Map<T> bilinear(const Map<T>& from, Size to) {
  using W = std::conditional_t<std::is_same_v<T, uint8_t>, int, float>;
  const auto columns = neighbours<W>(from.size.width, to.width, true);
  const auto rows = neighbours<W>(from.size.height, to.height, false);
  const int channels = from.channels;
  Map<T> out(to, channels);
  for (int y = 0; y < to.height; ++y) {
    const T *upper = from.row(rows[y].first), *lower = from.row(rows[y].second);
    const W above = rows[y].before, below = rows[y].after;
    for (int x = 0; x < to.width; ++x)
      for (int c = 0; c < channels; ++c) {
        const auto& at = columns[x];
        const int i = at.first * channels + c, j = at.second * channels + c;
        const W top = upper[i] * at.before + upper[j] * at.after;
        const W bottom = lower[i] * at.before + lower[j] * at.after;
        T& answer = out.row(y)[x * channels + c];
        if constexpr (std::is_same_v<T, uint8_t>)
          answer = T((((above * (top >> 4)) >> 16) + ((below * (bottom >> 4)) >> 16) + 2) >> 2);
        else
          answer = top * above + bottom * below;
      }
  }
  return out;
}

template <typename T>
Map<T> resize(Map<T> map, Size to) {
  const Size less{std::min(map.size.height, to.height), std::min(map.size.width, to.width)};
  if (less.height != map.size.height || less.width != map.size.width) map = area(map, less);
  if (less.height != to.height || less.width != to.width) map = bilinear(map, to);
  return map;
}

}  // namespace resizing

class DepthModel {
 public:
  // threads: of one operator; 0 takes all cores.
  explicit DepthModel(const std::string& path, int threads = 0) try
      : session_(environment(), std::basic_string<ORTCHAR_T>(path.begin(), path.end()).c_str(),
                 options(threads)) {
    read_metadata(path);
  } catch (const Ort::Exception& error) {
    throw std::runtime_error(path + " cannot be opened: " + error.what());
  }

  // Depth (height x width) [m] of an image of any size. focal: focal length of the camera [px in
  // the image]; 0 assumes the training camera. Any thread may call it, several at once.
  std::vector<float> operator()(Image image, double focal = 0) const {
    if (image.height < 16 || image.width < 16)
      throw std::runtime_error("an image has 16 pixels a side at least");
    Map<uint8_t> given({image.height, image.width}, 3);
    std::copy_n(image.rgb, given.values.size(), given.values.data());
    const Size outer = size_for(given.size);
    const double scale = scale_to(given.size, outer);
    const Size inner{std::max(1, rounded(given.size.height * scale)),
                     std::max(1, rounded(given.size.width * scale))};
    const int top = (outer.height - inner.height) / 2, left = (outer.width - inner.width) / 2;
    const Map<uint8_t> small = resizing::resize(given, inner);
    Map<uint8_t> batch(outer, 3);  // filled up by repeating the outermost pixels
    for (int y = 0; y < outer.height; ++y)
      for (int x = 0; x < outer.width; ++x) {
        const uint8_t* from = small.row(std::clamp(y - top, 0, inner.height - 1)) +
                              3 * std::clamp(x - left, 0, inner.width - 1);
        std::copy_n(from, 3, batch.row(y) + 3 * x);
      }
    const Map<float> answer = run(batch);
    Map<float> part(inner, 1);
    for (int y = 0; y < inner.height; ++y)
      std::copy_n(answer.row(top + y) + left, inner.width, part.row(y));
    Map<float> depth = resizing::resize(std::move(part), given.size);
    if (focal > 0) {
      const float factor = float(focal / (focal_ / focal_width_ * outer.width / scale));
      for (float& value : depth.values) value *= factor;
    }
    return std::move(depth.values);
  }

  // Inputs of the network; each image is brought to the one that it fits best.
  const std::vector<Size>& sizes() const { return sizes_; }

 private:
  static Ort::Env& environment() {
    static Ort::Env env(ORT_LOGGING_LEVEL_ERROR, "fastdepth");
    return env;
  }

  static Ort::SessionOptions options(int threads) {
    Ort::SessionOptions options;
    if (threads) options.SetIntraOpNumThreads(threads);
    // Between the frames of a camera threads that spin burn cores.
    options.AddConfigEntry("session.intra_op.allow_spinning", "0");
    return options;
  }

  Map<float> run(const Map<uint8_t>& batch) const {
    const std::array<int64_t, 4> shape{1, batch.size.height, batch.size.width, 3};
    auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
    auto input = Ort::Value::CreateTensor<uint8_t>(
        memory, const_cast<uint8_t*>(batch.values.data()), batch.values.size(), shape.data(), 4);
    const char *in = "image", *out = "depth";
    Map<float> depth(batch.size, 1);
    const std::array<int64_t, 4> answer{1, 1, batch.size.height, batch.size.width};
    auto output = Ort::Value::CreateTensor<float>(memory, depth.values.data(), depth.values.size(),
                                                  answer.data(), 4);
    session_.Run(Ort::RunOptions{nullptr}, &in, &input, 1, &out, &output, 1);
    for (float value : depth.values)
      if (!std::isfinite(value)) throw std::runtime_error("the file answers with no depth");
    return depth;
  }

  // What the file says of itself: JSON whose keys stand once each.
  void read_metadata(const std::string& path) {
    Ort::AllocatorWithDefaultOptions allocator;
    const auto metadata = session_.GetModelMetadata();
    const auto stored = metadata.LookupCustomMetadataMapAllocated("fastdepth", allocator);
    const std::string text = stored ? stored.get() : "";
    const auto after = [&](const std::string& key) {
      const size_t found = text.find("\"" + key + "\": ");
      if (found == std::string::npos)
        throw std::runtime_error(path + " is no file of fastdepth-export");
      return text.c_str() + found + key.size() + 4;
    };
    const auto says = [&](const char* key, const std::string& value) {
      if (std::string(after(key)).compare(0, value.size(), value) != 0)
        throw std::runtime_error(path + " needs a later fastdepth.hpp: its " + key + " is another");
    };
    says("unit", "\"metre\"");  // one that was calibrated needs its correction, which is not here
    says("preprocessing", "\"area-down-bilinear-up\"");
    focal_ = std::atof(after("training_focal_length"));
    focal_width_ = std::atof(after("training_width"));
    const char* at = after("sizes") + 1;  // [[240, 320], [320, 240]]
    while (*at == '[') {
      char* end;
      const long height = std::strtol(at + 1, &end, 10), width = std::strtol(end + 1, &end, 10);
      if (height < 1 || width < 1 || height > 65536 || width > 65536 || *end != ']')
        throw std::runtime_error(path + " has sizes that cannot be");
      sizes_.push_back({int(height), int(width)});
      at = end + 1;
      while (*at == ',' || *at == ' ') ++at;
    }
    if (sizes_.empty() || !(focal_ > 0) || !(focal_width_ > 0))
      throw std::runtime_error(path + " lacks its sizes or its camera");
  }

  static double scale_to(Size image, Size outer) {
    return std::min(double(outer.height) / image.height, double(outer.width) / image.width);
  }

  static int rounded(double value) { return int(std::nearbyint(value)); }  // half to even

  // That with the least padding; the first of equal ones.
  Size size_for(Size image) const {
    const auto filled = [&](Size size) {
      const double scale = scale_to(image, size);
      const double pixels = double(image.height) * image.width;
      const double share = scale * scale * pixels / (double(size.height) * size.width);
      return std::round(share * 1e6) / 1e6;
    };
    return *std::max_element(sizes_.begin(), sizes_.end(),
                             [&](Size a, Size b) { return filled(a) < filled(b); });
  }

  mutable Ort::Session session_;
  std::vector<Size> sizes_;
  double focal_ = 0, focal_width_ = 0;
};

}  // namespace fastdepth
