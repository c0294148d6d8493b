/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What rill offers beside libfabric's own interfaces: a look at the device that a domain stands on.
 * See fi_rill_device(3).
 *
 *	struct fi_rill_ops_device *device;
 *	ret = fi_open_ops(&domain->fid, FI_RILL_DEVICE_OPS_1, 0, (void **)&device, NULL);
 */
#ifndef FI_EXT_RILL_H
#define FI_EXT_RILL_H

#include <stddef.h>
#include <stdint.h>

#include <rdma/fabric.h>
#include <rdma/fi_domain.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Functions are never taken out of a version or changed; later releases may add some at the end,
 * which are there if `size` says so. What would break a caller gets another name.
 */
#define FI_RILL_DEVICE_OPS_1 "rill_device_ops_1"

/* How received payload came to its place. */
struct fi_rill_placement {
    size_t size;               /* in: of the caller's structure; out: bytes that were filled in */
    uint64_t direct_packets;   /* placed straight into the posted buffer */
    uint64_t direct_bytes;     /* payload of them */
    uint64_t indirect_packets; /* passed a bounce buffer */
    uint64_t indirect_bytes;
    uint64_t refused_bytes; /* dropped for want of bounce memory, and asked for again later */
};

/*
 * Each returns 0, or a negative fabric errno; then *value is as before. -FI_EINVAL: a pointer is
 * null, or `domain` is no open domain of rill. -FI_EOPBADSTATE: in a forked child.
 */
struct fi_rill_ops_device {
    size_t size; /* of this structure, as the provider has it */

    /*
     * A read access of configuration space, of 1, 2 or 4 bytes, as the host's software makes it: it
     * is logged by the device. Function 0 is the physical one. -FI_ENODEV: no such function;
     * -FI_EINVAL: offset or width; -FI_EAGAIN: too many accesses.
     */
    int (*config_read)(struct fid_domain* domain, uint16_t function, uint16_t offset, uint8_t width,
                       uint32_t* value);

    /* A 32-bit register of BAR0. -FI_ENODEV: no such function; -FI_EINVAL: offset. */
    int (*register_read)(struct fid_domain* domain, uint16_t function, uint32_t offset,
                         uint32_t* value);

    /*
     * A feature (1: negotiated, 0: not) or a limit of the device by its name. -FI_ENOENT: none has
     * that name.
     */
    int (*query)(struct fid_domain* domain, const char* feature, uint64_t* value);

    /* All since the domain was opened. -FI_EINVAL: `size` is less than one counter needs. */
    int (*placement)(struct fid_domain* domain, struct fi_rill_placement* placement);

    /* A counter of the device, as FI_RILL_STATS prints it. -FI_ENOENT: none has that name. */
    int (*counter)(struct fid_domain* domain, const char* name, uint64_t* value);
};

#ifdef __cplusplus
}
#endif

#endif /* FI_EXT_RILL_H */
