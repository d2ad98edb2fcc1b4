"""What gradflip draws, in NumPy, as kernels/philox.h, dropout.h and epoch_order.h and runtime/random.h define it."""

import numpy as np

WORD = 0xFFFFFFFF
DROPOUT = 0x64726F70  # the purposes, in counters
SAMPLING = 0x73616D00
SAMPLING_ROUNDS = 8


def philox4x32(counter, key):
    """counter: four words or arrays of them; key: two words. Returns four arrays (uint64, of 32-bit words)."""
    c = list(np.broadcast_arrays(*(np.asarray(word, dtype=np.uint64) for word in counter)))
    k = [int(word) for word in key]
    for _ in range(10):
        product0 = c[0] * np.uint64(0xD2511F53)
        product1 = c[2] * np.uint64(0xCD9E8D57)
        c = [
            (product1 >> np.uint64(32)) ^ c[1] ^ np.uint64(k[0]),
            product1 & np.uint64(WORD),
            (product0 >> np.uint64(32)) ^ c[3] ^ np.uint64(k[1]),
            product0 & np.uint64(WORD),
        ]
        k = [(k[0] + 0x9E3779B9) & WORD, (k[1] + 0xBB67AE85) & WORD]
    return c


def check_philox():
    """The known answers of Random123, for counters and keys of zeros, of ones, and of pi's digits."""
    pi = (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344, 0xA4093822, 0x299F31D0)
    for words, answer in (
        ((0,) * 6, (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((WORD,) * 6, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (pi, (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1)),
    ):
        assert tuple(int(word) for word in philox4x32(words[:4], words[4:])) == answer


def stream_of(name):
    """FNV-1a."""
    value = 2166136261
    for byte in name.encode():
        value = ((value ^ byte) * 16777619) & WORD
    return value


def words_of(seed):
    return seed & WORD, seed >> 32


def dropout_mask(seed, name, segment, step, rows, units, probability):
    """(rows, units) of 0 and 1: what is kept. name: of the stream, <layer>#<application>."""
    key = philox4x32((stream_of(name), 0, 0, DROPOUT), words_of(seed))[:2]
    blocks = (units + 3) // 4
    counter = (np.arange(blocks)[None, :], np.arange(rows)[:, None], step & WORD, (step >> 32) << 8 | segment)
    # Unit u takes word u / blocks of block u % blocks.
    words = np.stack(philox4x32(counter, key), axis=1).reshape(rows, 4 * blocks)[:, :units]
    return (words >= np.uint64(int(probability * 2.0**32 + 0.5))).astype(np.float64)


def epoch_order(seed, stream, size, epoch):
    """The places of a data set in the order of an epoch."""
    half_bits = ((size - 1).bit_length() + 1) // 2
    mask = (1 << half_bits) - 1

    def permuted(value):
        left, right = value >> half_bits, value & mask
        for turn in range(SAMPLING_ROUNDS):
            word = philox4x32((right, epoch & WORD, stream, SAMPLING + turn), words_of(seed))[0]
            left, right = right, left ^ (int(word) & mask)
        return left << half_bits | right

    order = []
    for place in range(size):
        place = permuted(place)
        while place >= size:
            place = permuted(place)
        order.append(place)
    return order
