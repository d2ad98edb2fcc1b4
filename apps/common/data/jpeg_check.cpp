#include "apps/common/data/jpeg_check.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "apps/common/data/jpeg_scan.h"
#include "runtime/errors.h"

namespace gradflip {
namespace {

constexpr unsigned kBaseline = 0xc0, kExtended = 0xc1, kProgressive = 0xc2;
constexpr unsigned kHuffmanTables = 0xc4, kEndOfImage = 0xd9, kStartOfScan = 0xda;
constexpr unsigned kRestartInterval = 0xdd;
constexpr std::size_t kMaxCodes = 256, kCodeLengths = 16;
constexpr std::int64_t kBlock = 8;  // pixels a side
constexpr int kMaxScans = 100;      // progressive encoders make about ten

std::int64_t divided_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

// For each coefficient of a component the lowest bit that a scan has brought.
using KnownBits = std::vector<int>;
constexpr int kNothing = 16;

bool is_complete(const KnownBits& known) {
  return std::all_of(known.begin(), known.end(), [](int lowest) { return lowest == 0; });
}

class Checker {
 public:
  Checker(std::span<const std::byte> file, std::int64_t max_pixels)
      : file_(file), max_pixels_(max_pixels) {}

  std::span<const std::byte> run() {
    std::size_t at = 2;
    while (true) {
      at = next_marker(at);
      const unsigned marker = byte(at + 1);
      if (marker == kEndOfImage) break;
      const std::size_t begin = at + 4, end = at + 2 + length_at(at + 2);
      if (marker == kStartOfScan) {
        if (frame_ && is_too_large_) return file_;
        at = read_scan_at(begin, end);
      } else {
        read_segment(marker, begin, end);
        at = end;
      }
    }
    if (!frame_ || scans_ == 0) throw DataError("it has no picture data");
    if (!std::all_of(known_.begin(), known_.end(), is_complete)) {
      throw DataError("a part of its picture data is missing");
    }
    return file_.first(at + 2);
  }

 private:
  unsigned byte(std::size_t at) const {
    if (at >= file_.size()) throw DataError("it ends early");
    return std::to_integer<unsigned>(file_[at]);
  }

  std::size_t word(std::size_t at) const { return byte(at) << 8U | byte(at + 1); }

  std::size_t length_at(std::size_t at) const {
    if (at + 2 > file_.size()) throw DataError("a segment is cut off");
    const std::size_t length = word(at);
    if (length < 2) throw DataError("a segment is shorter than its own length");
    if (length > file_.size() - at) throw DataError("a segment is cut off");
    return length;
  }

  // Of the FF byte before it; whatever lies in between is passed over.
  std::size_t next_marker(std::size_t at) const {
    while (byte(at) != 0xff || byte(at + 1) == 0xff) ++at;
    return at;
  }

  void read_segment(unsigned marker, std::size_t begin, std::size_t end) {
    if (marker == kHuffmanTables) {
      read_tables(begin, end);
    } else if (marker == kBaseline || marker == kExtended || marker == kProgressive) {
      read_frame(begin, end, marker == kProgressive);
    } else if (marker == kRestartInterval) {
      if (end - begin != 2) throw DataError("a restart interval of another length");
      restart_interval_ = static_cast<std::int64_t>(word(begin));
    }
  }

  void read_tables(std::size_t at, std::size_t end) {
    while (at < end) {
      if (at + 1 + kCodeLengths > end) throw DataError("a Huffman table is cut off");
      const unsigned id = byte(at);
      if ((id & 15U) > 3 || id >> 4U > 1) throw DataError("unknown id of a Huffman table");
      std::size_t codes = 0, used = 0;  // used: of the 2^length codes of this length
      for (std::size_t bits = 1; bits <= kCodeLengths; ++bits) {
        const unsigned count = byte(at + bits);
        codes += count;
        used = 2 * used + count;
        if (used > std::size_t{1} << bits) throw DataError("an over-full Huffman table");
      }
      if (codes > kMaxCodes) throw DataError("a Huffman table with more than 256 codes");
      const std::size_t values = at + 1 + kCodeLengths;
      if (values + codes > end) throw DataError("a Huffman table is cut off");
      tables_.insert_or_assign(
          id, HuffmanTable(file_.subspan(at + 1, kCodeLengths), file_.subspan(values, codes)));
      at = values + codes;
    }
  }

  void read_frame(std::size_t begin, std::size_t end, bool progressive) {
    if (frame_) throw DataError("more than one frame");
    if (end - begin < 6) throw DataError("its frame header is cut off");
    const auto height = static_cast<std::int64_t>(word(begin + 1));
    const auto width = static_cast<std::int64_t>(word(begin + 3));
    const std::size_t count = byte(begin + 5);
    if (height == 0 || width == 0 || count == 0 || end - begin != 6 + 3 * count) {
      throw DataError("a frame header without pixels, or of another length");
    }
    // What decoders know: grey, colour, and CMYK. Before anything is allocated for each.
    if (count != 1 && count != 3 && count != 4) {
      throw DataError("a number of components that is not 1, 3 or 4");
    }
    is_too_large_ = height * width > max_pixels_;
    JpegFrame frame;
    frame.progressive = progressive;
    frame.components.reserve(count);
    std::int64_t most_h = 1, most_v = 1;
    for (std::size_t i = 0; i < count; ++i) {
      JpegComponent component;
      component.id = byte(begin + 6 + 3 * i);
      component.h = byte(begin + 7 + 3 * i) >> 4U;
      component.v = byte(begin + 7 + 3 * i) & 15U;
      if (component.h < 1 || component.h > 4 || component.v < 1 || component.v > 4) {
        throw DataError("a sampling factor that is not 1 to 4");
      }
      most_h = std::max(most_h, component.h);
      most_v = std::max(most_v, component.v);
      frame.components.push_back(std::move(component));
    }
    frame.mcus_wide = divided_up(width, kBlock * most_h);
    frame.mcus_high = divided_up(height, kBlock * most_v);
    for (JpegComponent& component : frame.components) {
      component.blocks_wide = divided_up(divided_up(width * component.h, most_h), kBlock);
      component.blocks_high = divided_up(divided_up(height * component.v, most_v), kBlock);
      component.stored_wide = frame.mcus_wide * component.h;
      if (progressive && !is_too_large_) {
        component.nonzero.resize(
            static_cast<std::size_t>(component.stored_wide * frame.mcus_high * component.v));
      }
    }
    frame_ = std::move(frame);
    known_.assign(count, KnownBits(kJpegCoefficients, kNothing));
  }

  // Returns where the next marker stands.
  std::size_t read_scan_at(std::size_t begin, std::size_t end) {
    if (++scans_ > kMaxScans) throw DataError("more scans than any encoder makes");
    if (!frame_) throw DataError("a scan before its frame, or of a kind that is not supported");
    const std::size_t count = byte(begin);
    if (count < 1 || count > 4 || end - begin != 4 + 2 * count) {
      throw DataError("a scan header of another length");
    }
    JpegScan scan;
    scan.parts.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
      scan.parts.push_back(part_of(byte(begin + 1 + 2 * i), byte(begin + 2 + 2 * i)));
    }
    const std::size_t band = begin + 1 + 2 * count;
    if (frame_->progressive) {
      scan.first = static_cast<int>(byte(band));
      scan.last = static_cast<int>(byte(band + 1));
      scan.high = static_cast<int>(byte(band + 2) >> 4U);
      if (scan.first > scan.last || scan.last > 63 || (scan.first == 0 && scan.last != 0) ||
          (scan.first > 0 && count > 1)) {
        throw DataError("a scan of coefficients that do not go together");
      }
    }
    scan.restart_interval = restart_interval_;
    // Only a progressive scan leaves bits out.
    const int low = frame_->progressive ? static_cast<int>(byte(band + 2) & 15U) : 0;
    for (const JpegScan::Part& part : scan.parts) {
      KnownBits& known =
          known_[static_cast<std::size_t>(part.component - frame_->components.data())];
      std::fill(known.begin() + scan.first, known.begin() + scan.last + 1, low);
    }
    return read_scan(file_, end, *frame_, scan);
  }

  JpegScan::Part part_of(unsigned id, unsigned tables) {
    const auto found =
        std::find_if(frame_->components.begin(), frame_->components.end(),
                     [&](const JpegComponent& component) { return component.id == id; });
    if (found == frame_->components.end()) throw DataError("a scan of an unknown component");
    constexpr unsigned kAc = 0x10;
    return {&*found, table(tables >> 4U), table(kAc | (tables & 15U))};
  }

  const HuffmanTable* table(unsigned id) const {
    const auto found = tables_.find(id);
    return found == tables_.end() ? nullptr : &found->second;
  }

  std::span<const std::byte> file_;
  std::int64_t max_pixels_;
  std::map<unsigned, HuffmanTable> tables_;  // by DHT's byte of class and number
  std::optional<JpegFrame> frame_;
  bool is_too_large_ = false;
  std::vector<KnownBits> known_;  // [component]
  std::int64_t restart_interval_ = 0;
  int scans_ = 0;
};

}  // namespace

std::span<const std::byte> check_jpeg(std::span<const std::byte> file, std::int64_t max_pixels) {
  return Checker(file, max_pixels).run();
}

}  // namespace gradflip
