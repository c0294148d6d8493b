/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * rdma/fi_ext_rill.h as a program in C99 uses it: it is compiled with -pedantic, alone and first.
 */
#define _POSIX_C_SOURCE 200809L /* for this program's own strdup and setenv */
#include <rdma/fi_ext_rill.h>

#include <rdma/fi_endpoint.h>
#include <rdma/fi_errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void must(int ret, const char* what) {
    if (ret) {
        fprintf(stderr, "%s: %s\n", what, fi_strerror(-ret));
        exit(EXIT_FAILURE);
    }
}

static void look(struct fid_domain* domain) {
    struct fi_rill_ops_device* device = NULL;
    struct fi_rill_placement placement;
    uint32_t id = 0;
    uint64_t limit = 0;

    must(fi_open_ops(&domain->fid, FI_RILL_DEVICE_OPS_1, 0, (void**)&device, NULL), "fi_open_ops");
    if (device->size < sizeof(*device)) {
        fprintf(stderr, "an older provider: %zu bytes of operations\n", device->size);
        exit(EXIT_FAILURE);
    }
    must(device->config_read(domain, 0, 0, 4, &id), "config_read");
    must(device->query(domain, "queue_pairs_max", &limit), "query");
    placement.size = sizeof(placement);
    must(device->placement(domain, &placement), "placement");
    printf("device %04x:%04x, %lu queue pairs, %lu bytes direct\n", (unsigned)(id & 0xffff),
           (unsigned)(id >> 16), (unsigned long)limit, (unsigned long)placement.direct_bytes);
}

int main(void) {
    struct fi_info *hints = fi_allocinfo(), *info = NULL;
    struct fid_fabric* fabric = NULL;
    struct fid_domain* domain = NULL;

    if (!hints) return EXIT_FAILURE;
    setenv("FI_RILL_IFACE", "lo", 0);
    hints->ep_attr->type = FI_EP_RDM;
    hints->fabric_attr->prov_name = strdup("rill");
    must(fi_getinfo(FI_VERSION(1, 17), NULL, NULL, 0, hints, &info), "fi_getinfo");
    must(fi_fabric(info->fabric_attr, &fabric, NULL), "fi_fabric");
    must(fi_domain(fabric, info, &domain, NULL), "fi_domain");
    look(domain);
    must(fi_close(&domain->fid), "fi_close");
    must(fi_close(&fabric->fid), "fi_close");
    fi_freeinfo(info);
    fi_freeinfo(hints);
    return EXIT_SUCCESS;
}
