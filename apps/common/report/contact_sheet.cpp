#include "apps/common/report/contact_sheet.h"

#include <stb/stb_easy_font.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <string_view>

#include "kernels/require.h"

namespace gradflip {
namespace {

using Colour = std::array<std::uint8_t, 3>;

constexpr Colour kPaper{24, 24, 28}, kInk{235, 235, 235};
constexpr std::int64_t kCellSide = 56;  // that small pictures are enlarged towards
constexpr std::int64_t kCellGap = 2, kApart = 10, kMargin = 12;
constexpr std::int64_t kLetters = 2;  // the font's pixels
constexpr std::int64_t kLine = 12 * kLetters;

std::int64_t zoom_of(const Images& pictures) {
  return std::max<std::int64_t>(1, kCellSide / std::max(pictures.height, pictures.width));
}

std::int64_t text_width(std::string text) { return kLetters * stb_easy_font_width(text.data()); }

// The title's words in lines of at most `width`.
std::vector<std::string> lines_of(std::string_view title, std::int64_t width) {
  std::vector<std::string> lines(1);
  while (!title.empty()) {
    const auto end = std::min(title.find(' '), title.size());
    const std::string word(title.substr(0, end));
    title.remove_prefix(std::min(end + 1, title.size()));
    std::string& line = lines.back();
    const std::string longer = line.empty() ? word : line + " " + word;
    if (line.empty() || text_width(longer) <= width) {
      line = longer;
    } else {
      lines.push_back(word);
    }
  }
  return lines;
}

// Where a section's parts are, from its upper left corner.
struct SectionLayout {
  std::int64_t zoom = 1, cell_height = 0, cell_width = 0, rows = 0, width = 0, height = 0;
  std::vector<std::string> title;

  explicit SectionLayout(const SheetSection& section)
      : zoom(zoom_of(section.pictures)),
        cell_height(zoom * section.pictures.height + kCellGap),
        cell_width(zoom * section.pictures.width + kCellGap),
        rows(section.pictures.count / section.columns),
        width(section.columns * cell_width + kApart),
        title(lines_of(section.title, width)) {
    height = title_height() + rows * cell_height + kMargin;
  }

  std::int64_t title_height() const { return std::ssize(title) * kLine; }
  std::int64_t column_x(std::int64_t column) const {
    return column * cell_width + (column > 0 ? kApart : 0);
  }
};

struct Placed {
  SectionLayout layout;
  std::int64_t x = 0, y = 0;
};

// Sections go down one column of the sheet after the other.
std::vector<Placed> placed(std::span<const SheetSection> sections, SheetSize& size) {
  std::vector<Placed> all;
  std::int64_t height = 0, width = 0, tallest = 0;
  for (const SheetSection& section : sections) {
    GRADFLIP_REQUIRE(section.columns > 0 && section.pictures.channels == 3 &&
                         section.pictures.count % section.columns == 0,
                     message("contact_sheet: ", section.pictures.count, " pictures in ",
                             section.columns, " columns"));
    all.push_back({SectionLayout(section)});
    height += all.back().layout.height;
    width = std::max(width, all.back().layout.width + kMargin);
    tallest = std::max(tallest, all.back().layout.height);
  }
  const auto columns = static_cast<std::int64_t>(
      std::max(1.0, std::round(std::sqrt(static_cast<double>(height) /
                                         static_cast<double>(std::max<std::int64_t>(1, width))))));
  const std::int64_t limit = std::max(tallest, (height + columns - 1) / columns);
  std::int64_t x = kMargin, y = kMargin;
  size = {};
  for (Placed& one : all) {
    // Where most of it would hang over, the next column begins.
    if (y > kMargin && y - kMargin + one.layout.height / 2 > limit) {
      x += width;
      y = kMargin;
    }
    one.x = x;
    one.y = y;
    y += one.layout.height;
    size = {std::max(size.height, y), x + width};
  }
  return all;
}

class Paper {
 public:
  explicit Paper(SheetSize size) : sheet_{1, size.height, size.width, 3, {}} {
    sheet_.pixels.resize(static_cast<std::size_t>(sheet_.bytes_per_image()));
    fill(0, 0, size.width, size.height, kPaper);
  }

  // What is outside of the paper is left out.
  void fill(std::int64_t x, std::int64_t y, std::int64_t width, std::int64_t height,
            const Colour& colour) {
    for (std::int64_t row = std::max<std::int64_t>(y, 0); row < std::min(y + height, sheet_.height);
         ++row) {
      for (std::int64_t column = std::max<std::int64_t>(x, 0);
           column < std::min(x + width, sheet_.width); ++column) {
        std::copy(colour.begin(), colour.end(),
                  sheet_.pixels.begin() + (row * sheet_.width + column) * 3);
      }
    }
  }

  void write(std::int64_t x, std::int64_t y, std::string text) {
    struct Vertex {
      float x, y, z;
      std::array<unsigned char, 4> colour;
    };
    constexpr std::size_t kBytesPerLetter = 400;  // the font says 270 on average
    std::vector<Vertex> corners(text.size() * kBytesPerLetter / sizeof(Vertex));
    const int quads = stb_easy_font_print(0.0F, 0.0F, text.data(), nullptr, corners.data(),
                                          static_cast<int>(corners.size() * sizeof(Vertex)));
    corners.resize(4 * static_cast<std::size_t>(quads));
    for (std::size_t corner = 0; corner < corners.size(); corner += 4) {
      const Vertex& first = corners[corner];
      const Vertex& opposite = corners[corner + 2];
      const auto scaled = [](float at) { return kLetters * std::llround(at); };
      fill(x + scaled(first.x), y + scaled(first.y), scaled(opposite.x) - scaled(first.x),
           scaled(opposite.y) - scaled(first.y), kInk);
    }
  }

  void show(const Images& pictures, std::int64_t n, std::int64_t x, std::int64_t y,
            std::int64_t zoom) {
    const std::uint8_t* pixel = pictures.pixels.data() + n * pictures.bytes_per_image();
    for (std::int64_t row = 0; row < pictures.height; ++row) {
      for (std::int64_t column = 0; column < pictures.width; ++column, pixel += 3) {
        fill(x + column * zoom, y + row * zoom, zoom, zoom, {pixel[0], pixel[1], pixel[2]});
      }
    }
  }

  Images take() { return std::move(sheet_); }

 private:
  Images sheet_;
};

}  // namespace

SheetSize sheet_size(std::span<const SheetSection> sections) {
  SheetSize size;
  placed(sections, size);
  return size;
}

Images contact_sheet(std::span<const SheetSection> sections) {
  SheetSize size;
  const std::vector<Placed> places = placed(sections, size);
  Paper paper(size);
  for (std::size_t s = 0; s < sections.size(); ++s) {
    const auto& [layout, x, y] = places[s];
    std::int64_t line_y = y;
    for (const std::string& line : layout.title) {
      paper.write(x, line_y, line);
      line_y += kLine;
    }
    const SheetSection& section = sections[s];
    for (std::int64_t n = 0; n < section.pictures.count; ++n) {
      paper.show(section.pictures, n, x + layout.column_x(n % section.columns),
                 y + layout.title_height() + n / section.columns * layout.cell_height, layout.zoom);
    }
  }
  return paper.take();
}

}  // namespace gradflip
