/* Sends the frames of a capture over a virtual cable at a given rate, each frame once, and says what it sent.
 *
 *     sender FROM TO CAPTURE FRAMES_A_SECOND SECONDS          0 frames a second: as fast as it goes
 *
 * FROM and TO are the ends of a veth pair. It says "ready", begins when it reads a line, and says what it sent.
 *
 * A packet socket takes 1.3 us a frame on a small virtual machine, which no good meter would even notice. So
 * a BPF program sends: the kernel runs it once a frame (BPF_PROG_TEST_RUN with live frames, Linux 5.18), it
 * copies the next frame out of the capture and redirects it into FROM. While no frame is due it drops what it
 * was given. A late frame leaves at once, so that the rate holds on average; bursts have at most 64 frames.
 *
 * The run ends when SECONDS have passed; the capture is never begun again: a frame sent twice would be a
 * duplicate, and a conversation seen twice would not be the mix any more.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { FILE_HEADER = 24, RECORD_HEADER = 16, LONGEST = 255, DRAFT = 256, SLACK = 512, ETHERNET_HEADER = 14 };
enum { RATE_SHIFT = 16, STORE_BYTES = 190 /* bpf_xdp_store_bytes, newer than some headers */ };
enum { MOST_BYTES = 1 << 29 }; /* of a map that the kernel's verifier lets a program reach into */

/* What the program and this process share. Times are those of the monotonic clock. */
struct state {
    uint64_t at, end; /* where the next frame's record begins in the capture, and where the last one ends */
    uint64_t sent, begun_ns, last_ns;
    uint64_t pace; /* nanoseconds a frame, shifted left by RATE_SHIFT */
};

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static uint64_t now_ns(void)
{
    struct timespec moment;
    clock_gettime(CLOCK_MONOTONIC, &moment);
    return moment.tv_sec * 1000000000ull + moment.tv_nsec;
}

static long bpf(int command, union bpf_attr *asked)
{
    return syscall(SYS_bpf, command, asked, sizeof *asked);
}

static int number_of(const char *interface)
{
    int number = if_nametoindex(interface);
    if (!number)
        fail(interface);
    return number;
}

/* An array map of one value, and the value in our memory. */
static void *share(size_t size, int *map)
{
    union bpf_attr asked = {.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .max_entries = 1};
    asked.value_size = size;
    asked.map_flags = BPF_F_MMAPABLE;
    *map = bpf(BPF_MAP_CREATE, &asked);
    if (*map < 0)
        fail("the kernel gives no BPF map (is this root, with CAP_BPF?)");
    void *value = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, *map, 0);
    if (value == MAP_FAILED)
        fail("cannot map what is shared with the program");
    return value;
}

/* The capture (classic pcap, this machine's byte order), or what fits of it, in a map; returns the map's size. */
static size_t load(const char *path, int *map, struct state *state)
{
    struct stat about;
    int file = open(path, O_RDONLY);
    if (file < 0 || fstat(file, &about))
        fail(path);
    size_t size = about.st_size < MOST_BYTES - SLACK ? about.st_size : MOST_BYTES - SLACK, at = FILE_HEADER;
    char *bytes = share(size + SLACK, map);
    for (ssize_t done = 0, more; done < (ssize_t)size; done += more)
        if ((more = read(file, bytes + done, size - done)) <= 0)
            fail(path);
    while (at + RECORD_HEADER <= size) {
        uint32_t captured;
        memcpy(&captured, bytes + at + 8, sizeof captured);
        if (captured < ETHERNET_HEADER || captured > LONGEST) {
            fprintf(stderr, "%s: a frame of %u octets at byte %zu\n", path, captured, at);
            exit(1);
        }
        if (at + RECORD_HEADER + captured > size)
            break;
        at += RECORD_HEADER + captured;
    }
    close(file);
    state->at = FILE_HEADER, state->end = at;
    return size + SLACK;
}

#define DO(op, to, from, where, number) {.code = (op), .dst_reg = (to), .src_reg = (from), .off = (where), .imm = (number)}
#define MOVE(to, from) DO(BPF_ALU64 | BPF_MOV | BPF_X, to, from, 0, 0)
#define SET(to, number) DO(BPF_ALU64 | BPF_MOV | BPF_K, to, 0, 0, number)
#define SUM(op, to, from) DO(BPF_ALU64 | (op) | BPF_X, to, from, 0, 0)
#define SUM_K(op, to, number) DO(BPF_ALU64 | (op) | BPF_K, to, 0, 0, number)
#define GET(to, from, field) DO(BPF_LDX | BPF_MEM | BPF_DW, to, from, offsetof(struct state, field), 0)
#define PUT(to, field, from) DO(BPF_STX | BPF_MEM | BPF_DW, to, from, offsetof(struct state, field), 0)
#define DROP_IF(op, one, other) DO(BPF_JMP | (op) | BPF_X, one, other, DROP, 0)
#define DROP_IF_K(op, one, number) DO(BPF_JMP | (op) | BPF_K, one, 0, DROP, number)
#define CALL(helper) DO(BPF_JMP | BPF_CALL, 0, 0, 0, helper)
#define VALUE_OF(map) /* r0 = the value of a map of one value, or dropped */ \
    DO(BPF_ST | BPF_MEM | BPF_W, 10, 0, -4, 0), DO(BPF_LD | BPF_IMM | BPF_DW, 1, BPF_PSEUDO_MAP_FD, 0, map), \
        DO(0, 0, 0, 0, 0), MOVE(2, 10), SUM_K(BPF_ADD, 2, -4), CALL(BPF_FUNC_map_lookup_elem), DROP_IF_K(BPF_JEQ, 0, 0)

enum { DROP = 0x7FFF }; /* stands for the distance to the end of the program until it is known */

static int load_program(const struct bpf_insn *program, int count)
{
    static char said[1 << 16];
    union bpf_attr asked = {.prog_type = BPF_PROG_TYPE_XDP, .insn_cnt = count, .log_level = 1};
    asked.insns = (uint64_t)program;
    asked.license = (uint64_t) "AGPL-3.0-or-later";
    asked.log_buf = (uint64_t)said, asked.log_size = sizeof said;
    int loaded = bpf(BPF_PROG_LOAD, &asked);
    if (loaded < 0) {
        size_t length = strlen(said);
        fputs(said + (length > 500 ? length - 500 : 0), stderr);
        fail("the kernel refuses the program");
    }
    return loaded;
}

/* r6 context, r7 state, r8 frame's length, r9 where its record is */
static int sending_program(int states, int captures, size_t size, int interface)
{
    struct bpf_insn program[] = {
        MOVE(6, 1),
        VALUE_OF(states),
        MOVE(7, 0),
        GET(9, 7, at),
        GET(1, 7, end),
        DROP_IF(BPF_JGE, 9, 1), /* the capture is used up */
        CALL(BPF_FUNC_ktime_get_ns),
        MOVE(8, 0),
        GET(1, 7, begun_ns),
        DROP_IF(BPF_JLT, 8, 1), /* it has not begun */
        MOVE(2, 8),
        SUM(BPF_SUB, 2, 1),
        GET(3, 7, sent),
        GET(4, 7, pace),
        SUM(BPF_MUL, 4, 3),
        SUM_K(BPF_RSH, 4, RATE_SHIFT),
        DROP_IF(BPF_JLT, 2, 4), /* nothing is due */
        PUT(7, last_ns, 8),
        VALUE_OF(captures),
        DROP_IF_K(BPF_JGT, 9, (int)(size - SLACK)), /* never: it is the verifier who wants to know */
        SUM(BPF_ADD, 0, 9),
        DO(BPF_LDX | BPF_MEM | BPF_W, 8, 0, 8, 0),
        DROP_IF_K(BPF_JGT, 8, LONGEST),
        DROP_IF_K(BPF_JEQ, 8, 0),
        SUM(BPF_ADD, 9, 8),
        SUM_K(BPF_ADD, 9, RECORD_HEADER),
        PUT(7, at, 9),
        MOVE(9, 0),
        MOVE(1, 6),
        MOVE(2, 8),
        SUM_K(BPF_SUB, 2, DRAFT),
        CALL(BPF_FUNC_xdp_adjust_tail),
        DROP_IF_K(BPF_JNE, 0, 0),
        MOVE(1, 6),
        SET(2, 0),
        MOVE(3, 9),
        SUM_K(BPF_ADD, 3, RECORD_HEADER),
        MOVE(4, 8),
        CALL(STORE_BYTES),
        DROP_IF_K(BPF_JNE, 0, 0),
        GET(1, 7, sent),
        SUM_K(BPF_ADD, 1, 1),
        PUT(7, sent, 1),
        SET(1, interface),
        SET(2, 0),
        CALL(BPF_FUNC_redirect),
        DO(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
        SET(0, XDP_DROP),
        DO(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
    };
    int count = sizeof program / sizeof *program;
    for (int i = 0; i < count; i++)
        if (program[i].off == DROP)
            program[i].off = count - 2 - i - 1;
    return load_program(program, count);
}

/* Frames are redirected only into a cable whose other end has a program of its own: one that lets all pass. */
static void open_end(const char *to)
{
    struct bpf_insn program[] = {SET(0, XDP_PASS), DO(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)};
    union bpf_attr asked = {0};
    asked.link_create.prog_fd = load_program(program, 2);
    asked.link_create.target_ifindex = number_of(to);
    asked.link_create.attach_type = BPF_XDP;
    if (bpf(BPF_LINK_CREATE, &asked) < 0)
        fail(to);
}

static void ring(int signal)
{
    (void)signal;
}

/* Has the kernel run the program until the time is over. */
static void run(int program, double seconds)
{
    char draft[DRAFT] = {0};
    struct itimerval alarm = {.it_value = {.tv_sec = seconds, .tv_usec = (seconds - (long)seconds) * 1e6}};
    sigaction(SIGALRM, &(struct sigaction){.sa_handler = ring}, NULL);
    setitimer(ITIMER_REAL, &alarm, NULL);
    union bpf_attr asked = {0};
    asked.test.prog_fd = program;
    asked.test.data_in = (uint64_t)draft, asked.test.data_size_in = DRAFT;
    asked.test.repeat = UINT32_MAX;
    asked.test.flags = BPF_F_TEST_XDP_LIVE_FRAMES;
    if (bpf(BPF_PROG_TEST_RUN, &asked) < 0 && errno != EINTR)
        fail("the kernel does not run the program with live frames (Linux 5.18 does)");
}

int main(int words, char **word)
{
    if (words != 6) {
        fputs("usage: sender FROM TO CAPTURE FRAMES_A_SECOND SECONDS\n", stderr);
        return 2;
    }
    double rate = atof(word[4]), seconds = atof(word[5]);
    int states, captures;
    struct state *state = share(sizeof *state, &states);
    size_t size = load(word[3], &captures, state);
    int program = sending_program(states, captures, size, number_of(word[1]));
    open_end(word[2]);
    puts("ready");
    fflush(stdout);
    if (getchar() == EOF)
        return 1;
    state->pace = rate ? 1e9 / rate * (1 << RATE_SHIFT) : 0;
    state->begun_ns = state->last_ns = now_ns();
    run(program, seconds);
    double took = (state->last_ns - state->begun_ns) * 1e-9;
    printf("{\"sent\": %llu, \"seconds\": %.6f}\n", (unsigned long long)state->sent, took);
    return 0;
}
