#!/bin/sh
# Copies monotron.sh to the places that need a copy: Jenkins and GitLab do not follow links.
set -eu
cd "$(dirname "$0")"

cp monotron.sh jenkins/resources/monotron.sh

template=gitlab/monotron.yml
{
    sed '/^      monotron() ($/q' "$template"
    sed 's/^./      &/' monotron.sh
    sed -n '/^      )$/,$p' "$template"
} >"$template.new"
mv "$template.new" "$template"
