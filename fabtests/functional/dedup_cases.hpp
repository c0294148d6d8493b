// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// What the parts of the program `dedup` share: stores and rings that close themselves.
#pragma once

#include "remote_cases.hpp"

#include <rdma/fi_ext_rill.h>

#include <array>
#include <cstring>

namespace functional {

using Store = Handle<fid_rill_store>;
using RecordRing = Handle<fid_rill_ring>;

fi_rill_ops_dedup& dedup_of(const Domain& domain);
Store open_store(const Domain& domain, const fi_rill_store_attr& attr);
RecordRing open_ring(const Domain& domain, size_t count = 0, fi_wait_obj wait_obj = FI_WAIT_NONE);
// Fixed chunks of so many bytes.
fi_rill_store_attr store_attr(fi_rill_digest digest, uint32_t chunk);
std::vector<fi_rill_record> read_all(const Domain& domain, const RecordRing& ring);

void add_dedup_misuse_cases(std::vector<Case>& cases);

} // namespace functional
