// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "dedup/xxh3_build.hpp"

namespace rill::dedup {

constinit const Xxh3::Build kXxh3Portable = kBuild;

namespace {

const Xxh3::Build* build_for([[maybe_unused]] const Cpu& cpu) {
#if defined(__x86_64__)
    if (cpu.avx2) return &kXxh3Avx2;
#endif
    return &kXxh3Portable;
}

} // namespace

Xxh3::Xxh3(const Cpu& cpu) : build_(build_for(cpu)) {}

Xxh3::Xxh3(const Cpu& cpu, std::span<const std::byte> key) : build_(build_for(cpu)) {
    keyed_ = !key.empty();
    if (keyed_) build_->secret(secret_, key.data(), key.size());
}

Digest Xxh3::of(std::span<const std::byte> data) const {
    return build_->of(data.data(), data.size(), secret());
}

void Xxh3::begin(Xxh3Progress& p) const {
    build_->begin(p, secret());
}

void Xxh3::update(Xxh3Progress& p, std::span<const std::byte> data) const {
    build_->update(p, data.data(), data.size());
}

Digest Xxh3::finish(const Xxh3Progress& p) const {
    return build_->finish(p);
}

} // namespace rill::dedup
