// What a JPEG must satisfy before stb_image sees it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace gradflip {

// Walks the file as a decoder does, segment by segment and scan by scan, up to the marker that ends
// the picture (EOI; ITU T.81, figure B.2), and returns that part of it: what follows, a video or a
// second picture, is for others. `file` starts with the bytes FF D8. Scans of a picture of more
// than max_pixels, which the caller refuses, are not read: then it returns the whole file.
//
// Throws DataError (the reason only)
// - if a segment is cut off, or there is no scan or no end,
// - if there are not 1, 3 or 4 components: memory is 8 bytes a block of each,
// - if a Huffman table is cut off, has an unknown id, more than 256 codes or more codes than its
//   lengths can hold, which stb_image 2.27 writes out of bounds for (CVE-2022-28041 and -28042),
// - if there are more scans than any encoder makes, each of which costs a pass over the picture,
// - if scans do not bring every bit of every coefficient of every component, as in a progressive
//   picture that was cut between two scans and closed, or a scan's data ends before its last block,
//   has a code that its tables do not, or goes on behind the last block (jpeg_scan.h): decoders
//   draw grey or noise there without a word. Damage that leaves valid codes of the right length
//   cannot be told.
std::span<const std::byte> check_jpeg(std::span<const std::byte> file, std::int64_t max_pixels);

}  // namespace gradflip
