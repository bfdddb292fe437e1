/* The least that listening to an interface can cost: a loop round libpcap that looks at the lengths alone.
 *
 *     listen INTERFACE BUFFER_BYTES      until SIGTERM
 */
#include <pcap/pcap.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static pcap_t *capture;
static unsigned long long packets, octets;

static void stop(int signal)
{
    (void)signal;
    pcap_breakloop(capture);
}

static void look(u_char *nothing, const struct pcap_pkthdr *header, const u_char *frame)
{
    (void)nothing;
    packets++;
    octets += header->len + frame[0];
}

int main(int words, char **word)
{
    char reason[PCAP_ERRBUF_SIZE];
    struct pcap_stat kernel;
    if (words != 3 || !(capture = pcap_create(word[1], reason)))
        return 2;
    pcap_set_buffer_size(capture, atoi(word[2]));
    pcap_set_promisc(capture, 1);
    pcap_set_timeout(capture, 100);
    signal(SIGTERM, stop);
    if (pcap_activate(capture) < 0) {
        pcap_perror(capture, word[1]);
        return 1;
    }
    pcap_loop(capture, -1, look, NULL);
    pcap_stats(capture, &kernel);
    printf("packets %llu octets %llu dropped %u\n", packets, octets, kernel.ps_drop);
    return 0;
}
