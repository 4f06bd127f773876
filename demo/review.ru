# What the branch `review` proposes: two delistings and one new listing.
PREFIX : <https://demo.reefloom.org/maritime#>
PREFIX graph: <https://demo.reefloom.org/graph/>
DELETE DATA { GRAPH graph:sanctions {
    <https://demo.reefloom.org/vessel/9300970> :sanctionedUnder <https://demo.reefloom.org/program/northern> .
    <https://demo.reefloom.org/vessel/9302340> :sanctionedUnder <https://demo.reefloom.org/program/reefers> .
} } ;
INSERT DATA { GRAPH graph:sanctions {
    <https://demo.reefloom.org/vessel/9301518> :sanctionedUnder <https://demo.reefloom.org/program/northern> ;
        :remark "Seen at Monrovia without transponder" .
} }
