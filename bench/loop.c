/* The least that reading a capture can cost: a loop round libpcap that looks at the lengths alone. */
#include <pcap/pcap.h>
#include <stdio.h>

int main(int count, char **files)
{
    unsigned long long packets = 0, octets = 0;
    for (int i = 1; i < count; i++) {
        char reason[PCAP_ERRBUF_SIZE];
        pcap_t *capture = pcap_open_offline(files[i], reason);
        struct pcap_pkthdr *header;
        const u_char *frame;
        if (!capture)
            continue;
        while (pcap_next_ex(capture, &header, &frame) == 1) {
            packets++;
            octets += header->len + frame[0];
        }
        pcap_close(capture);
    }
    printf("packets %llu octets %llu\n", packets, octets);
    return 0;
}
