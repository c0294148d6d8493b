// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// The communicators that collectives are checked on.

#pragma once

#include "check.hpp"

#include <string>
#include <vector>

namespace rill_mpi {

struct Group {
    std::string name;
    MPI_Comm comm = MPI_COMM_NULL;
    int rank = 0;
    int size = 0;
};

class Communicators {
public:
    explicit Communicators(Check& check) {
        add(check, "all", 0, check.rank);
        add(check, "reversed", 0, -check.rank);
        add(check, "parity", check.rank % 2, check.rank);
        add(check, "alone", check.rank, 0);
        if (check.size > 2)
            add(check, "all but one", check.rank == check.size / 2 ? 1 : 0, check.rank);
    }

    ~Communicators() {
        for (Group& group : groups)
            MPI_Comm_free(&group.comm);
    }

    Communicators(const Communicators&) = delete;
    Communicators& operator=(const Communicators&) = delete;

    std::vector<Group> groups;

private:
    void add(Check& check, const char* name, int color, int key) {
        Group group{name};
        MPI_Comm_split(check.comm, color, key, &group.comm);
        MPI_Comm_rank(group.comm, &group.rank);
        MPI_Comm_size(group.comm, &group.size);
        groups.push_back(group);
    }
};

} // namespace rill_mpi
