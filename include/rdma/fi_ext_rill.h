/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What rill offers beside libfabric's own interfaces: a look at the device that a domain stands on,
 * fi_rill_device(3), and chunks of what is received with their digests, fi_rill_dedup(3).
 *
 *	struct fi_rill_ops_device *device;
 *	struct fi_rill_ops_dedup *dedup;
 *	ret = fi_open_ops(&domain->fid, FI_RILL_DEVICE_OPS_1, 0, (void **)&device, NULL);
 *	ret = fi_open_ops(&domain->fid, FI_RILL_DEDUP_OPS_1, 0, (void **)&dedup, NULL);
 */
#ifndef FI_EXT_RILL_H
#define FI_EXT_RILL_H

#include <stddef.h>
#include <stdint.h>

#include <rdma/fabric.h>
#include <rdma/fi_domain.h>
#include <rdma/fi_eq.h>

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

/* ---- dedup ---------------------------------------------------------------------------------- */

#define FI_RILL_DEDUP_OPS_1 "rill_dedup_ops_1"

/*
 * A flag of fi_recvmsg and fi_trecvmsg, on an endpoint that is attached to a store: the chunks of the
 * message are reported. All records are in the ring before the completion is in its queue.
 * -FI_EOPBADSTATE: the endpoint is not attached.
 */
#define FI_RILL_REPORT_CHUNKS (1ULL << 60)

/* Where chunks end. */
enum fi_rill_chunker {
    FI_RILL_CHUNK_FIXED, /* every `avg` bytes: of the message, or of the region that is written */
    FI_RILL_CHUNK_GEAR,  /* content-defined by a rolling hash */
    FI_RILL_CHUNK_EXTREMUM, /* content-defined without a hash */
};

enum fi_rill_digest {
    FI_RILL_XXH3_128, /* a hint: bytes are compared before a chunk is called a duplicate */
    FI_RILL_SHA256,
};

/* The chunks that are known. Closed with fi_close. */
struct fid_rill_store {
    struct fid fid;
};

/* Records of chunks, until they are read. fi_control with FI_GETWAIT. Closed with fi_close. */
struct fid_rill_ring {
    struct fid fid;
};

struct fi_rill_store_attr {
    size_t size;      /* of the caller's structure */
    uint32_t chunker; /* enum fi_rill_chunker */
    uint32_t digest;  /* enum fi_rill_digest */
    uint32_t min;     /* bytes of a chunk, 64 to 16 MiB; all 0: 4096, or 2048, 8192 and 65536 */
    uint32_t avg;     /* where content decides */
    uint32_t max;
    uint32_t verify;   /* not 0: bytes are compared with SHA-256 too */
    uint64_t capacity; /* chunks; 0: 65536 */
    const void* key;   /* not null: digests are keyed, and not those of standard tools */
    size_t key_len;    /* bytes, to 4096 */
};

struct fi_rill_ring_attr {
    size_t size;  /* of the caller's structure */
    size_t count; /* records, rounded up to a power of two; 0: 4096 */
    enum fi_wait_obj
        wait_obj; /* FI_WAIT_NONE, FI_WAIT_FD, or FI_WAIT_UNSPEC, which is FI_WAIT_FD */
};
#define FI_RILL_RING_MIN 64 /* records: fewer would not hold those of a packet */

/* A chunk of a store. It finds nothing any more when the chunk's memory was overwritten. */
struct fi_rill_reference {
    uint32_t place; /* 0: none */
    uint32_t generation;
};

/* Flags of a record. */
#define FI_RILL_DUPLICATE (1U << 0)  /* `reference` is of an earlier chunk with these bytes */
#define FI_RILL_VERIFIED (1U << 1)   /* and the bytes were compared */
#define FI_RILL_ZERO (1U << 2)       /* nothing but zeros */
#define FI_RILL_FORCED_CUT (1U << 3) /* ends because a chunk may not be longer */
#define FI_RILL_LAST (1U << 4)       /* ends because the transfer does, and not on a border */
#define FI_RILL_SCATTERED (1U << 5)  /* not in one piece in memory: `address` is where it begins */

/* What is known of a chunk. */
struct fi_rill_record {
    uint8_t digest[32]; /* as standard tools print it; XXH3-128: 16 bytes, and zeros */
    uint64_t address;   /* where it lies */
    struct fi_rill_reference reference; /* of this chunk, or of the earlier one */
    uint32_t length;                    /* bytes */
    uint32_t stream;   /* the same for all chunks of a transfer, another for the next */
    uint32_t sequence; /* in the transfer, from 0 on */
    uint16_t flags;
    uint16_t reserved;
};

/* A question to a store, and its answer. */
struct fi_rill_query {
    uint8_t digest[32];
    uint32_t length;
    uint32_t scope;
    const void* address; /* answer: null if the chunk is not known */
    struct fi_rill_reference reference;
};

/* Of a store and all that reports to it, since it was opened. */
struct fi_rill_store_statistics {
    size_t size;         /* in: of the caller's structure; out: bytes that were filled in */
    uint64_t capacity;   /* chunks that it has room for */
    uint64_t chunks_now; /* that it holds */
    uint64_t bytes;      /* that were digested */
    uint64_t chunks;
    uint64_t duplicates;
    uint64_t duplicate_bytes;
    uint64_t mismatches;      /* a known digest, but other bytes: no duplicate */
    uint64_t records_dropped; /* for want of room in a ring */
    uint64_t streams_lost;    /* transfers whose records are not complete for another reason */
    uint64_t lookups;
    uint64_t hits;
    uint64_t inserted;
    uint64_t evicted;     /* for want of room in the store */
    uint64_t overwritten; /* with their memory, or detached with it */
    uint64_t refused;     /* all that could have given way was held */
};

/*
 * Each returns 0 (ring_read: a number of records) or a negative fabric errno; then nothing has
 * changed. -FI_EINVAL: a pointer is null, a `size` is too small, an object is not an open one of
 * rill, or two are not of one domain. -FI_EOPBADSTATE: in a forked child. -FI_EOPNOTSUPP: the device
 * has no dedup (FI_RILL_DEVICE).
 */
struct fi_rill_ops_dedup {
    size_t size; /* of this structure, as the provider has it */

    /*
     * A limit or an ability by its name: see fi_rill_dedup(3). -FI_ENOENT: none has that name.
     */
    int (*query)(struct fid_domain* domain, const char* feature, uint64_t* value);

    /* -FI_EINVAL: an attribute is out of range. -FI_ENOMEM: there are 255, or no memory. */
    int (*store_open)(struct fid_domain* domain, const struct fi_rill_store_attr* attr,
                      struct fid_rill_store** store, void* context);

    /* -FI_ETOOSMALL: fewer records than FI_RILL_RING_MIN. -FI_ENOSYS: such a wait object. */
    int (*ring_open)(struct fid_domain* domain, const struct fi_rill_ring_attr* attr,
                     struct fid_rill_ring** ring, void* context);

    /*
     * `to` is an enabled endpoint or a shared receive context: receives with FI_RILL_REPORT_CHUNKS
     * report to the ring. Or a memory region: chunks that lie in it can be referred to, and what
     * peers write into it is reported to the ring, if that is not null. Chunks are known within
     * their `scope` only. Until detach, or until `to` is closed; a store or ring that something is
     * attached to cannot be closed (-FI_EBUSY). -FI_EBUSY: `to` is attached already.
     * -FI_EOPBADSTATE: an endpoint that is not enabled. -FI_EINVAL: memory of the region is
     * attached to the store already; an endpoint with a shared receive context; no ring for an
     * endpoint.
     */
    int (*attach)(struct fid_rill_store* store, struct fid_rill_ring* ring, struct fid* to,
                  uint32_t scope);

    /* -FI_ENOENT: it is not attached. */
    int (*detach)(struct fid* from);

    /*
     * Moves up to `count` records out of the ring. -FI_EAGAIN: there are none. -FI_EOVERRUN, once
     * whenever records have been dropped since the last call: what is there can be read as before.
     */
    ssize_t (*ring_read)(struct fid_rill_ring* ring, struct fi_rill_record* records, size_t count);

    /* Answers `count` questions. */
    int (*look_up)(struct fid_rill_store* store, struct fi_rill_query* queries, size_t count);

    /* Where a chunk lies. -FI_ENOENT: it is not known any more. */
    int (*resolve)(struct fid_rill_store* store, struct fi_rill_reference reference,
                   const void** address, size_t* length);

    /*
     * A held chunk does not give way to others; it may still be overwritten. -FI_ENOENT: it is not
     * known any more; release: it is not held.
     */
    int (*hold)(struct fid_rill_store* store, struct fi_rill_reference reference);
    int (*release)(struct fid_rill_store* store, struct fi_rill_reference reference);

    /* -FI_EINVAL: `size` is less than one counter needs. */
    int (*statistics)(struct fid_rill_store* store, struct fi_rill_store_statistics* statistics);

    /*
     * Chunks local memory as if it had just been received there; all records are in the ring on
     * return.
     */
    int (*submit)(struct fid_rill_store* store, struct fid_rill_ring* ring, uint32_t scope,
                  uint32_t stream, const void* data, size_t len);
};

#ifdef __cplusplus
}
#endif

#endif /* FI_EXT_RILL_H */
