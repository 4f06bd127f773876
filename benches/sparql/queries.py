#!/usr/bin/env python3
"""Writes the queries of the wide set: one file each, as the runner of the shared benchmark reads them.
usage: queries.py FOLDER"""
import os
import sys

PREFIXES = """PREFIX bsbm: <http://www4.wiwiss.fu-berlin.de/bizer/bsbm/v01/vocabulary/>
PREFIX inst: <http://www4.wiwiss.fu-berlin.de/bizer/bsbm/v01/instances/>
PREFIX rdfs: <http://www.w3.org/2000/01/rdf-schema#>
PREFIX rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#>
PREFIX rev: <http://purl.org/stuff/rev#>
PREFIX dc: <http://purl.org/dc/elements/1.1/>
PREFIX foaf: <http://xmlns.com/foaf/0.1/>
PREFIX xsd: <http://www.w3.org/2001/XMLSchema#>
"""

WIDE = {
    # Counts.
    "count-distinct-s": "SELECT (COUNT(DISTINCT ?s) AS ?c) { ?s ?p ?o }",
    "count-distinct-o": "SELECT (COUNT(DISTINCT ?o) AS ?c) { ?s bsbm:productFeature ?o }",
    "count-type": "SELECT (COUNT(*) AS ?c) { ?s a bsbm:Offer }",
    "count-by-type": "SELECT ?t (COUNT(?s) AS ?c) { ?s a ?t } GROUP BY ?t ORDER BY DESC(?c) ?t LIMIT 20",
    "count-distinct-by-pred": "SELECT ?p (COUNT(DISTINCT ?o) AS ?c) { ?s ?p ?o } GROUP BY ?p",
    "count-two-paths": "SELECT (COUNT(*) AS ?c) { ?a bsbm:productFeature ?f . ?b bsbm:productFeature ?f }",
    # Stars and chains.
    "star3-bound": "SELECT ?o ?price ?days { ?o bsbm:vendor inst:dataFromVendor1\\/Vendor1 ; bsbm:price ?price ; bsbm:deliveryDays ?days }",
    "star4-count": "SELECT (COUNT(*) AS ?c) { ?r bsbm:rating1 ?a ; bsbm:rating2 ?b ; bsbm:rating3 ?d ; bsbm:rating4 ?e }",
    "star-nm": "SELECT (COUNT(*) AS ?c) { ?p a bsbm:Product ; bsbm:productFeature ?f ; a ?t }",
    "chain4": "SELECT (COUNT(*) AS ?c) { ?r rev:reviewer ?u . ?r bsbm:reviewFor ?p . ?p bsbm:producer ?m . ?m bsbm:country ?k }",
    "chain5-group": "SELECT ?k (AVG(?x) AS ?a) { ?r bsbm:rating1 ?x ; bsbm:reviewFor ?p . ?p bsbm:producer ?m . ?m bsbm:country ?k } GROUP BY ?k ORDER BY ?k",
    "chain-rows": "SELECT ?r ?l { ?r bsbm:reviewFor ?p . ?p rdfs:label ?l } LIMIT 5000",
    # Cycles.
    "cycle-country": "SELECT (COUNT(*) AS ?c) { ?r rev:reviewer ?u . ?u bsbm:country ?k . ?r bsbm:reviewFor ?p . ?p bsbm:producer ?m . ?m bsbm:country ?k }",
    "cycle-features": "SELECT (COUNT(*) AS ?c) { ?a bsbm:productFeature ?f . ?b bsbm:productFeature ?f . ?a bsbm:producer ?m . ?b bsbm:producer ?m }",
    "cycle-type": "SELECT (COUNT(*) AS ?c) { ?a bsbm:producer ?m . ?b bsbm:producer ?m . ?a a ?t . ?b a ?t FILTER(?a != ?b) FILTER(?t != bsbm:Product) }",
    # OPTIONAL, MINUS, EXISTS, UNION.
    "optional-two": "SELECT (COUNT(*) AS ?c) (COUNT(?a) AS ?ca) (COUNT(?b) AS ?cb) { ?r bsbm:reviewFor ?p OPTIONAL { ?r bsbm:rating1 ?a } OPTIONAL { ?r bsbm:rating2 ?b } }",
    "optional-nested": "SELECT (COUNT(*) AS ?c) (COUNT(?k) AS ?ck) { ?r bsbm:reviewFor ?p OPTIONAL { ?r rev:reviewer ?u OPTIONAL { ?u bsbm:country ?k } } }",
    "optional-filter": "SELECT (COUNT(*) AS ?c) (COUNT(?a) AS ?ca) { ?r bsbm:reviewFor ?p OPTIONAL { ?r bsbm:rating1 ?a FILTER(?a > 7) } }",
    "optional-bound": "SELECT (COUNT(*) AS ?c) { ?r bsbm:reviewFor ?p OPTIONAL { ?r bsbm:rating1 ?a } FILTER(!BOUND(?a)) }",
    "optional-rows": "SELECT ?p ?l ?t { ?p a bsbm:Product ; rdfs:label ?l OPTIONAL { ?p bsbm:productPropertyTextual4 ?t } }",
    "minus": "SELECT (COUNT(*) AS ?c) { ?r bsbm:reviewFor ?p MINUS { ?r bsbm:rating1 ?x } }",
    "minus-join": "SELECT (COUNT(*) AS ?c) { ?p a bsbm:Product MINUS { ?o bsbm:product ?p . ?o bsbm:deliveryDays 1 } }",
    "exists": "SELECT (COUNT(*) AS ?c) { ?p a bsbm:Product FILTER EXISTS { ?r bsbm:reviewFor ?p ; bsbm:rating1 10 } }",
    "exists-correlated": "SELECT (COUNT(*) AS ?c) { ?r bsbm:rating1 ?x ; bsbm:reviewFor ?p FILTER EXISTS { ?r2 bsbm:reviewFor ?p ; bsbm:rating1 ?y FILTER(?y > ?x) } }",
    "not-exists-two": "SELECT (COUNT(*) AS ?c) { ?p bsbm:productPropertyNumeric1 ?n FILTER NOT EXISTS { ?p bsbm:productPropertyNumeric4 ?m } FILTER NOT EXISTS { ?p bsbm:productPropertyNumeric5 ?m } }",
    "union-three": "SELECT (COUNT(*) AS ?c) { { ?s bsbm:rating1 ?x } UNION { ?s bsbm:rating2 ?x } UNION { ?s bsbm:rating3 ?x } }",
    "union-join": "SELECT (COUNT(*) AS ?c) { ?r bsbm:reviewFor ?p { ?r bsbm:rating1 10 } UNION { ?r bsbm:rating2 10 } }",
    "union-distinct": "SELECT (COUNT(DISTINCT ?r) AS ?c) { { ?r bsbm:rating1 10 } UNION { ?r bsbm:rating2 10 } UNION { ?r bsbm:rating3 10 } }",
    # Filters.
    "filter-range": "SELECT (COUNT(*) AS ?c) { ?p bsbm:productPropertyNumeric1 ?n FILTER(?n > 500 && ?n < 900) }",
    "filter-compare": "SELECT (COUNT(*) AS ?c) { ?p bsbm:productPropertyNumeric1 ?n ; bsbm:productPropertyNumeric2 ?m FILTER(?n > ?m) }",
    "filter-arith": "SELECT (COUNT(*) AS ?c) { ?r bsbm:rating1 ?x ; bsbm:rating2 ?y FILTER(?x + ?y > 15) }",
    "filter-date": "SELECT (COUNT(*) AS ?c) { ?r dc:date ?d FILTER(?d >= \"2008-05-01\"^^xsd:date && ?d < \"2008-06-01\"^^xsd:date) }",
    "filter-datetime": "SELECT (COUNT(*) AS ?c) { ?r bsbm:reviewDate ?d FILTER(?d > \"2008-01-01T00:00:00\"^^xsd:dateTime) }",
    "filter-year": "SELECT ?y (COUNT(*) AS ?c) { ?r bsbm:reviewDate ?d BIND(YEAR(?d) AS ?y) } GROUP BY ?y ORDER BY ?y",
    "filter-in": "SELECT (COUNT(*) AS ?c) { ?r bsbm:rating1 ?x FILTER(?x IN (1, 3, 5, 7)) }",
    "filter-contains": "SELECT (COUNT(*) AS ?c) { ?p rdfs:label ?l FILTER CONTAINS(?l, \"an\") }",
    "filter-strstarts": "SELECT (COUNT(*) AS ?c) { ?p rdfs:comment ?l FILTER STRSTARTS(?l, \"s\") }",
    "filter-text-contains": "SELECT (COUNT(*) AS ?c) { ?r rev:text ?l FILTER CONTAINS(?l, \"humankind\") }",
    "filter-strlen": "SELECT (COUNT(*) AS ?c) { ?r dc:title ?l FILTER(STRLEN(?l) > 80) }",
    "filter-lcase": "SELECT (COUNT(*) AS ?c) { ?r dc:title ?l FILTER(LCASE(STR(?l)) > \"m\") }",
    "filter-iri": "SELECT (COUNT(*) AS ?c) { ?s bsbm:product ?p FILTER(STRSTARTS(STR(?p), \"http://www4.wiwiss.fu-berlin.de/bizer/bsbm/v01/instances/dataFromProducer1\")) }",
    "filter-not-equal": "SELECT (COUNT(*) AS ?c) { ?u bsbm:country ?k FILTER(?k != <http://downlode.org/rdf/iso-3166/countries#US>) }",
    "langmatches": "SELECT (COUNT(*) AS ?c) { ?r dc:title ?l FILTER LANGMATCHES(LANG(?l), \"*\") }",
    "lang-group": "SELECT ?l (COUNT(*) AS ?c) { ?r dc:title ?t } GROUP BY (LANG(?t) AS ?l) ORDER BY ?l",
    "datatype-group": "SELECT ?d (COUNT(*) AS ?c) { ?s ?p ?o FILTER(isLiteral(?o)) } GROUP BY (DATATYPE(?o) AS ?d) ORDER BY ?d",
    "is-iri": "SELECT (COUNT(*) AS ?c) { ?s ?p ?o FILTER(isIRI(?o)) }",
    "filter-or": "SELECT (COUNT(*) AS ?c) { ?r bsbm:rating1 ?x ; bsbm:rating2 ?y FILTER(?x = 10 || ?y = 1) }",
    # Grouping.
    "group-two": "SELECT ?a ?b (COUNT(*) AS ?c) { ?r bsbm:rating1 ?a ; bsbm:rating2 ?b } GROUP BY ?a ?b ORDER BY ?a ?b",
    "group-having": "SELECT ?v (COUNT(*) AS ?c) { ?o bsbm:vendor ?v } GROUP BY ?v HAVING(COUNT(*) > 1000) ORDER BY DESC(?c) ?v",
    "group-many": "SELECT (COUNT(*) AS ?c) { SELECT ?p (COUNT(?o) AS ?n) { ?o bsbm:product ?p } GROUP BY ?p HAVING(COUNT(?o) > 20) }",
    "group-sum-expr": "SELECT ?v (SUM(?d * 2) AS ?s) (MAX(?d) AS ?m) { ?o bsbm:vendor ?v ; bsbm:deliveryDays ?d } GROUP BY ?v ORDER BY ?v",
    "group-concat": "SELECT ?p (GROUP_CONCAT(?f; separator=\" \") AS ?fs) { ?p bsbm:productFeature ?f ; bsbm:producer inst:dataFromProducer1\\/Producer1 } GROUP BY ?p",
    "group-sample": "SELECT (COUNT(*) AS ?c) { SELECT ?p (SAMPLE(?o) AS ?x) { ?o bsbm:product ?p } GROUP BY ?p }",
    "group-min-date": "SELECT ?v (MIN(?d) AS ?a) (MAX(?d) AS ?b) { ?o bsbm:vendor ?v ; bsbm:validFrom ?d } GROUP BY ?v ORDER BY ?v",
    "group-min-string": "SELECT ?u (MIN(?t) AS ?a) { ?r rev:reviewer ?u ; dc:title ?t } GROUP BY ?u ORDER BY ?u LIMIT 100",
    # DISTINCT and ORDER BY.
    "distinct-two": "SELECT (COUNT(*) AS ?c) { SELECT DISTINCT ?v ?p { ?o bsbm:vendor ?v ; bsbm:product ?p } }",
    "distinct-pred": "SELECT DISTINCT ?p { ?s ?p ?o }",
    "distinct-type": "SELECT DISTINCT ?t { ?s a ?t }",
    "distinct-rows": "SELECT DISTINCT ?u ?k { ?r rev:reviewer ?u . ?u bsbm:country ?k }",
    "order-num": "SELECT ?p ?n { ?p bsbm:productPropertyNumeric1 ?n } ORDER BY DESC(?n) ?p LIMIT 10",
    "order-date": "SELECT ?r ?d { ?r bsbm:reviewDate ?d } ORDER BY ?d ?r LIMIT 50",
    "order-string": "SELECT ?p ?l { ?p rdfs:label ?l } ORDER BY ?l ?p LIMIT 20",
    "order-join": "SELECT ?o ?d ?l { ?o bsbm:deliveryDays ?d ; bsbm:product ?p . ?p rdfs:label ?l } ORDER BY DESC(?d) ?l ?o LIMIT 20",
    "order-offset": "SELECT ?o ?d { ?o bsbm:validTo ?d } ORDER BY ?d ?o OFFSET 20000 LIMIT 10",
    "order-all": "SELECT ?r ?x { ?r bsbm:rating1 ?x } ORDER BY DESC(?x) ?r",
    # Regular expressions.
    "regex-prefix": "SELECT (COUNT(*) AS ?c) { ?p rdfs:label ?l FILTER REGEX(?l, \"^s\") }",
    "regex-i": "SELECT (COUNT(*) AS ?c) { ?r dc:title ?l FILTER REGEX(?l, \"HUMAN\", \"i\") }",
    "regex-iri": "SELECT (COUNT(*) AS ?c) { ?s a bsbm:Product FILTER REGEX(STR(?s), \"Product1[0-9]*$\") }",
    "replace": "SELECT (COUNT(*) AS ?c) { ?p rdfs:label ?l FILTER(REPLACE(?l, \"[aeiou]\", \"\") = ?l) }",
    # Property paths.
    "path-seq": "SELECT (COUNT(*) AS ?c) { ?r bsbm:reviewFor/bsbm:producer/bsbm:country ?k }",
    "path-star-open": "SELECT (COUNT(*) AS ?c) { ?a rdfs:subClassOf* ?b }",
    "path-alt": "SELECT (COUNT(*) AS ?c) { ?r (bsbm:rating1|bsbm:rating2) ?x }",
    "path-inverse": "SELECT (COUNT(*) AS ?c) { ?p ^bsbm:product ?o }",
    "path-type-plus": "SELECT (COUNT(*) AS ?c) { ?p a/rdfs:subClassOf+ ?t }",
    "path-type-star-count": "SELECT ?t (COUNT(DISTINCT ?p) AS ?c) { ?p a/rdfs:subClassOf* ?t } GROUP BY ?t ORDER BY DESC(?c) ?t LIMIT 10",
    "path-optional": "SELECT (COUNT(*) AS ?c) { ?a rdfs:subClassOf? ?b }",
    "path-negated": "SELECT (COUNT(*) AS ?c) { inst:dataFromProducer1\\/Product1 !(rdf:type|bsbm:productFeature) ?o }",
    "path-inverse-plus": "SELECT (COUNT(*) AS ?c) { ?a (rdfs:subClassOf|^rdfs:subClassOf)+ ?b }",
    "path-from-bound": "SELECT ?b { inst:ProductType100 rdfs:subClassOf+ ?b }",
    "path-shared-features": "SELECT (COUNT(DISTINCT ?b) AS ?c) { inst:dataFromProducer1\\/Product1 (bsbm:productFeature/^bsbm:productFeature)+ ?b }",
    # Subqueries, BIND, VALUES.
    "subquery-top": "SELECT ?l ?n { { SELECT ?p (COUNT(*) AS ?n) { ?r bsbm:reviewFor ?p } GROUP BY ?p ORDER BY DESC(?n) ?p LIMIT 10 } ?p rdfs:label ?l }",
    "subquery-avg": "SELECT (COUNT(*) AS ?c) { ?r bsbm:rating1 ?x { SELECT (AVG(?y) AS ?a) { ?s bsbm:rating1 ?y } } FILTER(?x > ?a) }",
    "values-join": "SELECT ?p ?l { VALUES ?p { inst:dataFromProducer1\\/Product1 inst:dataFromProducer1\\/Product2 inst:dataFromProducer1\\/Product3 } ?p rdfs:label ?l }",
    "bind-concat": "SELECT (COUNT(DISTINCT ?x) AS ?c) { ?p rdfs:label ?l BIND(CONCAT(?l, \"!\") AS ?x) }",
    "if-coalesce": "SELECT ?g (COUNT(*) AS ?c) { ?r bsbm:reviewFor ?p OPTIONAL { ?r bsbm:rating1 ?x } BIND(IF(COALESCE(?x, 0) > 5, \"good\", \"other\") AS ?g) } GROUP BY ?g ORDER BY ?g",
    # Exports.
    "export-pred": "SELECT ?s ?o { ?s bsbm:price ?o }",
    "export-text": "SELECT ?s ?o { ?s dc:title ?o }",
    "export-star": "SELECT ?o ?p ?v ?d { ?o bsbm:product ?p ; bsbm:vendor ?v ; bsbm:deliveryDays ?d }",
    "export-construct": "CONSTRUCT { ?r bsbm:about ?p } WHERE { ?r bsbm:reviewFor ?p }",
    "export-describe": "DESCRIBE inst:dataFromVendor1\\/Vendor1",
    "export-all-of-type": "SELECT ?s ?p ?o { ?s a bsbm:Product . ?s ?p ?o }",
    # Everything about one thing.
    "ask": "ASK { ?r bsbm:rating1 11 }",
    "about-subject": "SELECT ?p ?o { inst:dataFromProducer1\\/Product1 ?p ?o }",
    "about-object": "SELECT ?s ?p { ?s ?p inst:dataFromProducer1\\/Product1 }",
    "between-two": "SELECT ?p { inst:dataFromProducer1\\/Product1 ?p inst:dataFromProducer1\\/Producer1 }",
}

for name, query in WIDE.items():
    folder = os.path.join(sys.argv[1], "wide", name)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "00.rq"), "w") as file:
        file.write(PREFIXES + query + "\n")
