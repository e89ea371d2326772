#!/bin/sh
# Copies monotron.sh to where it has to be a file of its own: Jenkins and GitLab follow no links.
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
