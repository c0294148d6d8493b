/* One direction of a context: the windows of PSNs, their acknowledgements, and what the network may do to
 * both. docs/testing.md says which function each step stands for.
 *
 * The network keeps whatever was sent and delivers it at any time, as often as it likes, or never: loss,
 * duplication and reordering without a bound. PACKETS packets are sent; n is the packet (the receiver
 * cannot see it), PSN(n) what lies on the wire, modulo PSNS. A window is WINDOW wide.
 *
 * A PSN comes again after PSNS packets, so a copy must not outlive PSNS - WINDOW packets: 2^32 - 4096 in
 * the code, at 100 million packets a second 42 s. With PACKETS + WINDOW <= PSNS none here does, though all
 * of them wrap (START). With more packets a copy does, and the checker must find the double delivery.
 */
#ifndef PACKETS
#define PACKETS 5
#endif
#ifndef PSNS
#define PSNS 8
#endif
#define WINDOW 3
#define START 6 /* the numbering wraps after two packets */
#define ACKS 2  /* acknowledgements that the network keeps; any older one is as good as lost */

#define PSN(n) ((START + (n)) % PSNS)
/* Serial::operator-: the signed distance of two PSNs. */
#define AHEAD(a, b) ((((a) - (b) + PSNS) % PSNS) - ((((a) - (b) + PSNS) % PSNS) >= PSNS / 2 -> PSNS : 0))

/* ---- the network */
bool sent[PACKETS];
byte ack_next[ACKS]; /* cumulative acknowledgement, as PSN */
byte ack_bits[ACKS]; /* bit i: PSN next + i has arrived */
bool ack_there[ACKS];

/* ---- the receiver */
byte next = START;   /* ReceiveWindow::next_, a PSN */
byte arrived = 0;    /* its bitmap, relative to next */
/* what only the checker knows */
byte delivered[PACKETS];

/* ---- the sender */
byte base = 0; /* SendWindow::base_ and next_, counted in packets */
byte fresh = 0;
bool acked[PACKETS];

/* ReceiveWindow::check and mark, Transport::receive_data. */
inline receive(n) {
    d_step {
        ahead = AHEAD(PSN(n), next);
        if
        :: ahead < 0 || ahead >= WINDOW -> skip /* duplicate, or outside: nothing is delivered */
        :: else ->
            if
            :: arrived & (1 << ahead) -> skip /* duplicate */
            :: else ->
                delivered[n]++;
                assert(delivered[n] == 1); /* exactly once */
                arrived = arrived | (1 << ahead);
                do
                :: arrived & 1 -> next = (next + 1) % PSNS; arrived = arrived >> 1
                :: else -> break
                od
            fi
        fi;
        ahead = 0
    }
}

proctype Receiver() {
    int ahead;
    byte n, slot;
    do
    :: /* any copy of any packet arrives */
        n = 0;
        do
        :: n < PACKETS - 1 -> n++
        :: break
        od;
        if
        :: sent[n] -> receive(n)
        :: else
        fi;
        n = 0
    :: /* an acknowledgement leaves, and takes the place of one in the network (encode_ack) */
        d_step {
            ack_next[slot] = next;
            ack_bits[slot] = arrived;
            ack_there[slot] = true;
            slot = (slot + 1) % ACKS
        }
    od
}

/* Transport::process_ack, SendWindow::ack_before and ack_word. */
inline take_ack(s) {
    d_step {
        n = base;
        do
        :: n < fresh ->
            ahead = AHEAD(PSN(n), ack_next[s]);
            if
            :: !acked[n] && (ahead < 0 || (ahead < WINDOW && (ack_bits[s] & (1 << ahead)))) ->
                acked[n] = true;
                assert(delivered[n] == 1) /* nothing is taken for arrived that has not */
            :: else
            fi;
            n++
        :: else -> break
        od;
        do
        :: base < fresh && acked[base] -> base++
        :: else -> break
        od;
        n = 0;
        ahead = 0
    }
}

proctype Sender() {
    int ahead;
    byte n;
    do
    :: base == PACKETS -> break
    :: fresh < PACKETS && fresh - base < WINDOW -> /* SendWindow::push, full() */
        atomic { sent[fresh] = true; fresh++ }
    :: ack_there[0] && AHEAD(ack_next[0], PSN(fresh)) <= 0 -> take_ack(0)
    :: ack_there[1] && AHEAD(ack_next[1], PSN(fresh)) <= 0 -> take_ack(1)
    od
all_acknowledged:
    skip
}

init {
    atomic { run Receiver(); run Sender() }
}

/* For the checker to refute: it shows that all of it can be done. */
ltl never_done { [] (base < PACKETS) }
