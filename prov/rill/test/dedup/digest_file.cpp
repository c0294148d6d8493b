// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// The engine's records of a file, for tools.sh: "offset length digest flags" of each chunk.
//
//   digest_file FILE sha256|xxh3 fixed|gear|extremum AVG FRAGMENT [KEY]

#include "dedup/engine.hpp"

#include <bit>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

using namespace rill;
using namespace rill::dedup;

int main(int argc, char** argv) {
    if (argc < 6 || argc > 7) return 2;
    std::ifstream file(argv[1], std::ios::binary);
    const std::string text((std::istreambuf_iterator<char>(file)), {});
    const auto data = std::as_bytes(std::span(text));
    const std::string digest = argv[2], kind = argv[3], key = argc == 7 ? argv[6] : "";
    const auto avg = static_cast<uint32_t>(std::atoi(argv[4]));
    const auto fragment = static_cast<size_t>(std::atoll(argv[5]));

    EngineSettings s;
    s.digest = digest == "sha256" ? DigestKind::sha256 : DigestKind::xxh3_128;
    s.key = std::as_bytes(std::span(key));
    const bool fixed = kind == "fixed";
    const ChunkLimits limits =
        fixed ? ChunkLimits{avg, avg, avg} : ChunkLimits{avg / 4, avg, avg * 4};
    const ChunkerKind chunker = fixed            ? ChunkerKind::fixed
                                : kind == "gear" ? ChunkerKind::gear
                                                 : ChunkerKind::extremum;
    if (!is_ok(Chunker::make(chunker, limits, this_cpu(), s.chunker)) || fragment == 0) return 2;

    Store store(1);
    RecordMemory ring(std::bit_ceil(static_cast<uint32_t>(data.size() / limits.min + 2)));
    RecordRing written(ring.header(), ring.capacity());
    Engine engine(store, written, s, this_cpu());
    Stream* stream = engine.open(1, 0, 0, {});
    for (size_t at = 0; at < data.size(); at += fragment) {
        const auto part = data.subspan(at, std::min(fragment, data.size() - at));
        if (!is_ok(engine.place(*stream, at, part, {}))) return 1;
        engine.run();
    }
    if (!is_ok(engine.finish(*stream))) return 1;
    for (size_t at = 0; !ring.empty(); ring.pop()) {
        const Record& r = ring.front();
        std::printf("%zu %u ", at, r.length);
        for (size_t i = 0; i < (s.digest == DigestKind::sha256 ? 32 : 16); ++i)
            std::printf("%02x", r.digest.bytes[i]);
        std::printf("\n");
        at += r.length;
    }
    return 0;
}
