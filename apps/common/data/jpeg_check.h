// What a JPEG must satisfy before stb_image sees it.
#pragma once

#include <cstddef>
#include <span>

namespace gradflip {

// Throws DataError (the reason only) if a Huffman table is cut off, has an unknown id, more than
// 256 codes or more codes than its lengths can hold, which stb_image 2.27 writes out of bounds for
// (CVE-2022-28041 and -28042), or if there are more scans than any encoder makes, each of which
// costs a pass over the picture. Tables are looked for wherever the decoder could meet one: segment
// by segment up to the first scan, at any offset after it. `file` starts with the bytes FF D8.
void check_jpeg(std::span<const std::byte> file);

}  // namespace gradflip
