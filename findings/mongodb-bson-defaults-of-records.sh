#!/usr/bin/env bash
# MongoDB.Bson 3.14.0 (NuGet), reading a document that lacks a field for which the type declares a default.
#
# A read model gains a field; the documents from before do not have it.
# Expected: the field has the default that the type declares, as the default argument of its constructor or the initialiser of its property.
# Seen: a class without constructor arguments keeps its initialisers. A record with positional parameters loses both: the default argument
# is not used, and properties with an initialiser are overwritten with 0 or null, so that a list that is never null by its declaration is
# null. System.Text.Json has every default, with the same types.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat > finding.csproj <<'XML'
<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup><OutputType>Exe</OutputType><TargetFramework>net10.0</TargetFramework><ImplicitUsings>enable</ImplicitUsings></PropertyGroup>
  <ItemGroup><PackageReference Include="MongoDB.Bson" Version="[3.14.0]" /></ItemGroup>
</Project>
XML
cat > Program.cs <<'CS'
using System.Text.Json;
using MongoDB.Bson;
using MongoDB.Bson.Serialization;

Read<OfProperties>();
Read<OfBoth>();
Read<OfParameters>();

static void Read<T>()
{
    T bson = BsonSerializer.Deserialize<T>(new BsonDocument("Name", "a"));
    T json = JsonSerializer.Deserialize<T>("""{"Name":"a"}""");
    Console.WriteLine($"{typeof(T).Name}: BSON {JsonSerializer.Serialize(bson)}, JSON {JsonSerializer.Serialize(json)}");
}

internal sealed record OfProperties
{
    public string Name { get; init; } = "";
    public int Limit { get; init; } = 500;
    public List<string> Owners { get; init; } = [];
}

internal sealed record OfBoth(string Name)
{
    public int Limit { get; init; } = 500;
    public List<string> Owners { get; init; } = [];
}

internal sealed record OfParameters(string Name, int Limit = 500);
CS
dotnet run > seen
cat seen
diff - seen <<'SEEN'
OfProperties: BSON {"Name":"a","Limit":500,"Owners":[]}, JSON {"Name":"a","Limit":500,"Owners":[]}
OfBoth: BSON {"Name":"a","Limit":0,"Owners":null}, JSON {"Name":"a","Limit":500,"Owners":[]}
OfParameters: BSON {"Name":"a","Limit":0}, JSON {"Name":"a","Limit":500}
SEEN
