"""NetFlow v5, v9 and IPFIX: export datagrams to flows, translations and claims. Pure.

RFC 3954 (v9), 7011 and 7012 (IPFIX), 5103 (biflows), 5153, 8158 and 7659 (translations), 5655 (files). A
batch's data records are grouped by their template and read as columns; no step is taken for each record
unless its length varies. Fields that name what was visited are never read.
"""
