#include "apps/common/data/jpeg_scan.h"

#include <optional>

#include "runtime/errors.h"

namespace gradflip {
namespace {

constexpr unsigned kFirstRestart = 0xd0, kRestarts = 8;
// Zeros that some cameras put behind the last block; stb_image passes over no other padding.
constexpr int kMaxTrailingBytes = 256;
// Bytes of any value there: webcams fill a word with what they had in memory. More is what a hole
// before it left over; so few never were, in 4000 damaged photographs.
constexpr int kMaxStrayBytes = 3;
// Behind the last block before a restart: stb_image sees the marker over two bytes, and gives up
// the rest of the picture over three.
constexpr int kMaxBytesBeforeRestart = 2;

// The bits between two markers, without the zero that follows each FF byte.
class Bits {
 public:
  Bits(std::span<const std::byte> file, std::size_t at) : file_(file), at_(at) {}

  // The next 16, zeros behind the end.
  unsigned peek() {
    fill();
    return static_cast<unsigned>(window_ >> (available_ - 16)) & 0xffffU;
  }

  void skip(unsigned count) {
    fill();
    available_ -= static_cast<int>(count);
    if (available_ < invented_) throw DataError("a scan ends before its last block");
  }

  unsigned take(unsigned count) {
    const unsigned bits = count == 0 ? 0 : peek() >> (16U - count);
    skip(count);
    return bits;
  }

  // Behind the last block: what is left of its byte, padding, then the marker. Returns where that
  // stands.
  std::size_t end(int max_bytes) {
    int bytes = 0;
    bool zeros = true;
    const auto pass = [&](unsigned byte) {
      zeros = zeros && byte == 0;
      if (++bytes > max_bytes || (bytes > kMaxStrayBytes && !zeros)) {
        throw DataError("a scan goes on behind its last block");
      }
    };
    for (int left = (available_ - invented_) / 8; left > 0; --left) {  // were looked at already
      pass(static_cast<unsigned>(window_ >> (invented_ + 8 * (left - 1))) & 0xffU);
    }
    while (const std::optional<unsigned> byte = next_byte()) pass(*byte);
    return at_;
  }

 private:
  // Empty at a marker, where at_ stays, and at the end of the file.
  std::optional<unsigned> next_byte() {
    if (at_ >= file_.size()) return {};
    const auto byte = std::to_integer<unsigned>(file_[at_]);
    if (byte != 0xff) {
      ++at_;
      return byte;
    }
    if (at_ + 1 >= file_.size() || file_[at_ + 1] != std::byte{0}) return {};
    at_ += 2;
    return byte;
  }

  // At least 16 bits, so that a code and a number of bits can each be taken without a check.
  void fill() {
    while (available_ <= 16) {
      const std::optional<unsigned> byte = next_byte();
      if (!byte) invented_ += 8;
      window_ = window_ << 8U | byte.value_or(0);
      available_ += 8;
    }
  }

  std::span<const std::byte> file_;
  std::size_t at_;
  std::uint64_t window_ = 0;  // its lowest available_ bits are the next ones
  int available_ = 0;
  int invented_ = 0;  // of them, the last ones, which are not in the file
};

unsigned decode(Bits& bits, const HuffmanTable* table) {
  if (table == nullptr) throw DataError("a scan uses a Huffman table that is not defined");
  const std::optional<HuffmanTable::Code> code = table->find(bits.peek());
  if (!code) throw DataError("a code that is in no Huffman table");
  bits.skip(code->length);
  return code->value;
}

// The blocks of one scan, between two restarts.
class BlockReader {
 public:
  BlockReader(const JpegFrame& frame, const JpegScan& scan) : frame_(frame), scan_(scan) {}

  void restart() { end_of_band_run_ = 0; }

  void read(Bits& bits, const JpegScan::Part& part, std::uint64_t* nonzero) {
    if (!frame_.progressive) {
      read_dc(bits, part);
      read_ac(bits, part, 1, kJpegCoefficients - 1);
    } else if (scan_.first == 0) {
      if (scan_.high == 0) {
        read_dc(bits, part);
      } else {
        bits.skip(1);
      }
    } else if (scan_.high == 0) {
      read_band(bits, part, *nonzero);
    } else {
      refine_band(bits, part, *nonzero);
    }
  }

 private:
  static void read_dc(Bits& bits, const JpegScan::Part& part) {
    const unsigned size = decode(bits, part.dc);
    if (size > 16) throw DataError("a coefficient of more than 16 bits");
    bits.skip(size);
  }

  static void read_ac(Bits& bits, const JpegScan::Part& part, int first, int last) {
    for (int k = first; k <= last; ++k) {
      const unsigned code = decode(bits, part.ac);
      const unsigned run = code >> 4U, size = code & 15U;
      if (size == 0 && run != 15) return;
      k += static_cast<int>(run);
      if (k > last) throw DataError("a block has more than its coefficients");
      bits.skip(size);
    }
  }

  // G.1.2.2: as the sequential one, but a block's end may stand for a run of blocks.
  void read_band(Bits& bits, const JpegScan::Part& part, std::uint64_t& nonzero) {
    if (skips_block()) return;
    for (int k = scan_.first; k <= scan_.last; ++k) {
      const unsigned code = decode(bits, part.ac);
      const unsigned run = code >> 4U, size = code & 15U;
      if (size == 0 && run != 15) return begin_run(bits, run);
      k += static_cast<int>(run);
      if (k > scan_.last) throw DataError("a block has more than its coefficients");
      if (size == 0) continue;
      bits.skip(size);
      nonzero |= std::uint64_t{1} << static_cast<unsigned>(k);
    }
  }

  // G.1.2.3: every coefficient that is not 0 yet has a bit of its own on the way.
  void refine_band(Bits& bits, const JpegScan::Part& part, std::uint64_t& nonzero) {
    int k = scan_.first;
    if (!skips_block()) {
      while (k <= scan_.last) {
        const unsigned code = decode(bits, part.ac);
        const unsigned run = code >> 4U, size = code & 15U;
        if (size > 1) throw DataError("a refined coefficient of more than one bit");
        if (size == 0 && run != 15) {
          begin_run(bits, run);
          break;
        }
        bits.skip(size);  // the sign of the new one
        k = refine_until(bits, k, static_cast<int>(run), nonzero);
        if (k > scan_.last) {
          if (size > 0) throw DataError("a block has more than its coefficients");
          return;
        }
        if (size > 0) nonzero |= std::uint64_t{1} << static_cast<unsigned>(k);
        ++k;
      }
    }
    refine_until(bits, k, kJpegCoefficients, nonzero);
  }

  // Passes `zeros` coefficients that are still 0 and reads a bit for each other one. Returns the
  // place of the next zero, or the one behind the band.
  int refine_until(Bits& bits, int k, int zeros, std::uint64_t nonzero) const {
    for (; k <= scan_.last; ++k) {
      if ((nonzero >> static_cast<unsigned>(k) & 1U) != 0) {
        bits.skip(1);
      } else if (zeros-- == 0) {
        return k;
      }
    }
    return k;
  }

  bool skips_block() {
    if (end_of_band_run_ == 0) return false;
    --end_of_band_run_;
    return true;
  }

  void begin_run(Bits& bits, unsigned bits_of_length) {
    end_of_band_run_ = (std::int64_t{1} << bits_of_length) + bits.take(bits_of_length) - 1;
  }

  const JpegFrame& frame_;
  const JpegScan& scan_;
  std::int64_t end_of_band_run_ = 0;
};

// Everything of a scan, in the order of A.2: one component's own blocks row by row, or MCUs.
class ScanReader {
 public:
  ScanReader(std::span<const std::byte> file, std::size_t begin, const JpegFrame& frame,
             JpegScan& scan)
      : file_(file), frame_(frame), scan_(scan), blocks_(frame, scan), bits_(file, begin) {}

  std::size_t read() {
    const bool alone = scan_.parts.size() == 1;
    const JpegComponent& first = *scan_.parts.front().component;
    const std::int64_t wide = alone ? first.blocks_wide : frame_.mcus_wide;
    const std::int64_t high = alone ? first.blocks_high : frame_.mcus_high;
    for (std::int64_t y = 0; y < high; ++y) {
      for (std::int64_t x = 0; x < wide; ++x) {
        const std::int64_t done = y * wide + x;
        if (scan_.restart_interval > 0 && done > 0 && done % scan_.restart_interval == 0) restart();
        if (alone) {
          read_block(scan_.parts.front(), x, y);
        } else {
          read_mcu(x, y);
        }
      }
    }
    return end_after(wide * high);
  }

 private:
  void read_block(const JpegScan::Part& part, std::int64_t x, std::int64_t y) {
    JpegComponent& component = *part.component;
    std::uint64_t* nonzero =
        component.nonzero.empty()
            ? nullptr
            : &component.nonzero[static_cast<std::size_t>(y * component.stored_wide + x)];
    blocks_.read(bits_, part, nonzero);
  }

  void read_mcu(std::int64_t x, std::int64_t y) {
    for (const JpegScan::Part& part : scan_.parts) {
      const JpegComponent& component = *part.component;
      for (std::int64_t v = 0; v < component.v; ++v) {
        for (std::int64_t h = 0; h < component.h; ++h) {
          read_block(part, x * component.h + h, y * component.v + v);
        }
      }
    }
  }

  void restart() {
    if (!pass_restart(bits_.end(kMaxBytesBeforeRestart))) {
      throw DataError("a restart marker is missing");
    }
    blocks_.restart();
  }

  // Some encoders close the last interval as all others, with a restart.
  std::size_t end_after(std::int64_t mcus) {
    const std::size_t end = bits_.end(kMaxTrailingBytes);
    const bool closes = scan_.restart_interval > 0 && mcus % scan_.restart_interval == 0;
    return closes && pass_restart(end) ? bits_.end(kMaxTrailingBytes) : end;
  }

  // Whether the restart whose turn it is stands at `at`; if so, what follows it is read next.
  bool pass_restart(std::size_t at) {
    while (at + 1 < file_.size() && file_[at + 1] == std::byte{0xff}) ++at;
    const unsigned expected = kFirstRestart + restarts_ % kRestarts;
    if (at + 1 >= file_.size() || std::to_integer<unsigned>(file_[at + 1]) != expected) {
      return false;
    }
    ++restarts_;
    bits_ = Bits(file_, at + 2);
    return true;
  }

  std::span<const std::byte> file_;
  const JpegFrame& frame_;
  JpegScan& scan_;
  BlockReader blocks_;
  Bits bits_;
  unsigned restarts_ = 0;
};

}  // namespace

std::size_t read_scan(std::span<const std::byte> file, std::size_t begin, const JpegFrame& frame,
                      JpegScan& scan) {
  return ScanReader(file, begin, frame, scan).read();
}

}  // namespace gradflip
