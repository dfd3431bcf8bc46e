// depth MODEL.onnx IMAGE.ppm DEPTH.pfm [FOCAL]: depth of an image [m].

#include <cstdio>
#include <fstream>
#include <iostream>

#include "fastdepth.hpp"

namespace {

fastdepth::Map<uint8_t> read_ppm(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string magic;
  int width = 0, height = 0, most = 0;
  file >> magic >> width >> height >> most;
  file.get();
  const bool fits = width > 0 && height > 0 && int64_t(width) * height <= (1 << 26);
  if (!file || magic != "P6" || most != 255 || !fits)
    throw std::runtime_error(path + " is no binary PPM of 8 bits; convert the image");
  fastdepth::Map<uint8_t> image({height, width}, 3);
  file.read(reinterpret_cast<char*>(image.values.data()), std::streamsize(image.values.size()));
  if (!file) throw std::runtime_error(path + " is cut short");
  return image;
}

void write_pfm(const std::string& path, const std::vector<float>& depth, fastdepth::Size size) {
  std::ofstream file(path, std::ios::binary);
  file << "Pf\n" << size.width << " " << size.height << "\n-1.0\n";  // little endian
  for (int y = size.height - 1; y >= 0; --y)                          // from the bottom up
    file.write(reinterpret_cast<const char*>(depth.data() + size_t(y) * size.width),
               std::streamsize(sizeof(float)) * size.width);
  file.close();
  if (!file) throw std::runtime_error(path + " cannot be written");
}

}  // namespace

int main(int count, char** words) {
  if (count < 4 || count > 5) {
    std::cerr << "usage: depth MODEL.onnx IMAGE.ppm DEPTH.pfm [FOCAL]\n";
    return 2;
  }
  try {
    const double focal = count == 5 ? std::atof(words[4]) : 0;
    if (count == 5 && !(focal >= 1 && focal <= 1e6))
      throw std::runtime_error("a focal length is 1 to 1,000,000 px");
    const fastdepth::DepthModel model(words[1]);
    const auto image = read_ppm(words[2]);
    const auto depth = model({image.values.data(), image.size.height, image.size.width}, focal);
    write_pfm(words[3], depth, image.size);
  } catch (const std::exception& error) {
    std::cerr << "depth: " << error.what() << "\n";
    return 2;
  }
}
