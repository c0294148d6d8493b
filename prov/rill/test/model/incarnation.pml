/* Which context a packet belongs to, when a side restarts, gives up, or forgets: opening, answer, proof,
 * reset, refusal, and what a tombstone is for. docs/testing.md says which function each step stands for.
 *
 * An opener sends the message of each of its contexts twice over: in the opening (context id 0, its own
 * token), and once more, another message, in a packet that uses the receiver's token. The network keeps
 * whatever was sent and delivers it at any time, as often as it likes, or never. The receiver may give a
 * context up at any moment (silence, eviction), and may crash and come back at the same address, knowing
 * nothing.
 *
 * Tokens are random in the code; here an opener's is its number (1..CONTEXTS), and a receiver's the pair of
 * that and its own incarnation.
 */
#define CONTEXTS 2 /* that the opener makes, one after another */
#define LIVES 2    /* incarnations of the receiver */
#define AT(i, g) ((i) * CONTEXTS + (g))

/* ---- the network: what was ever sent, by incarnation i and context g */
bool open[CONTEXTS];
bool answer[LIVES * CONTEXTS];
bool data[LIVES * CONTEXTS];
bool ack[LIVES * CONTEXTS];   /* of both messages */
bool reset[LIVES * CONTEXTS]; /* "I do not know that context", to the opener */
bool refusal[CONTEXTS];       /* retry without a cookie */

/* ---- the receiver */
byte life = 0;
mtype = { none, accepted, established, over };
mtype context[CONTEXTS]; /* by the opener's token; over: a tombstone is left */
bool got_first[CONTEXTS]; /* the context's receive window, of two PSNs */
bool got_second[CONTEXTS];
/* what only the checker knows */
byte first[LIVES * CONTEXTS];
byte second[LIVES * CONTEXTS];

/* ---- the opener */
byte mine = 0;
mtype = { opening, open_both, ended };
mtype state = opening;
byte with = 0; /* incarnation whose token it has */
bool sent_second = false;
byte succeeded = 0;

proctype Receiver() {
    byte g;
    do
    :: atomic { /* an opening: Transport::receive_opening, accept, refuse_opening */
        select(g : 0 .. CONTEXTS - 1);
        if
        :: open[g] ->
            if
#ifndef NO_TOMBSTONES
            :: context[g] == over -> refusal[g] = true /* Tombstones::knows_peer_token */
#else
            :: context[g] == over -> context[g] = none; got_first[g] = false; got_second[g] = false
#endif
            :: context[g] == none -> context[g] = accepted
            :: else
            fi;
            if
            :: (context[g] == accepted || context[g] == established) ->
                answer[AT(life, g)] = true;
                if
                :: !got_first[g] ->
                    got_first[g] = true;
                    first[AT(life, g)]++;
                    assert(first[AT(life, g)] == 1) /* delivered once, and never again */
                :: else
                fi
            :: else
            fi
        :: else
        fi;
        g = 0
      }
    :: atomic { /* a packet with a receiver's token: Transport::addressed, answer_unknown */
        select(g : 0 .. CONTEXTS - 1);
        if
        :: data[AT(life, g)] && (context[g] == accepted || context[g] == established) ->
            context[g] = established;
            if
            :: !got_second[g] ->
                got_second[g] = true;
                second[AT(life, g)]++;
                assert(second[AT(life, g)] == 1)
            :: else
            fi
        :: data[AT(life, g)] && context[g] == over -> reset[AT(life, g)] = true
        :: life > 0 && data[AT(0, g)] -> reset[AT(0, g)] = true /* another life's token */
        :: else
        fi;
        g = 0
      }
    :: atomic { /* an acknowledgement leaves */
        select(g : 0 .. CONTEXTS - 1);
        if
        :: got_first[g] && got_second[g] && context[g] == established -> ack[AT(life, g)] = true
        :: else
        fi;
        g = 0
      }
    :: atomic { /* silence, or eviction: Transport::end_one leaves a tombstone */
        select(g : 0 .. CONTEXTS - 1);
        if
        :: context[g] == accepted || context[g] == established -> context[g] = over
        :: else
        fi;
        g = 0
      }
    :: atomic { life < LIVES - 1 -> /* crash and restart at the same address */
        life++;
        g = 0;
        do
        :: g < CONTEXTS -> context[g] = none; got_first[g] = false; got_second[g] = false; g++
        :: else -> break
        od;
        g = 0
      }
    od
}

proctype Opener() {
    byte i;
    do
    :: state == opening -> open[mine] = true /* and again */
    :: atomic { state == opening -> /* an answer: receive_answer; of either life, if both came */
        select(i : 0 .. LIVES - 1);
        if
        :: answer[AT(i, mine)] -> state = open_both; with = i
        :: else
        fi;
        i = 0
      }
    :: atomic { state == opening && refusal[mine] -> state = ended } /* receive_retry, cookie 0 */
    :: atomic { state == open_both -> data[AT(with, mine)] = true; sent_second = true }
    :: atomic { state == open_both && ack[AT(with, mine)] && sent_second ->
        /* an operation that succeeds was delivered, to the very life that says so */
        assert(first[AT(with, mine)] == 1 && second[AT(with, mine)] == 1);
        succeeded++;
        state = ended
      }
    :: atomic { state == open_both && reset[AT(with, mine)] -> state = ended } /* receive_reset: dead */
    :: atomic { state == ended && mine < CONTEXTS - 1 -> /* what comes next goes over another context */
        mine++;
        state = opening;
        sent_second = false
      }
    :: state == ended && mine == CONTEXTS - 1 -> break
    od
}

init {
    atomic {
        byte g = 0;
        do
        :: g < CONTEXTS -> context[g] = none; g++
        :: else -> break
        od;
        run Receiver();
        run Opener()
    }
}

/* For the checker to refute: it shows that all of it can be done, a restart between included. */
ltl never_done { [] (succeeded < CONTEXTS || life == 0) }
