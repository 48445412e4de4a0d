#!/usr/bin/env bash
# MongoDB.Driver 3.14.0 (NuGet): updates of one field that are combined, rendered without a server.
#
# A projection that folds several events into one write combines an update for each: Builders.Update.Inc(…).Inc(…), or Update.Combine(list).
# Expected: they add up, or are refused; the server itself refuses two operators that change one field.
# Seen: of two updates with the same operator and field the last alone is sent, silently. Two increments of 5 and 7 are an increment of 7,
# of two pushed items one is pushed, $max takes the last value and not the greatest. Only different operators reach the server together.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat > finding.csproj <<'XML'
<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup><OutputType>Exe</OutputType><TargetFramework>net10.0</TargetFramework><ImplicitUsings>enable</ImplicitUsings></PropertyGroup>
  <ItemGroup><PackageReference Include="MongoDB.Driver" Version="[3.14.0]" /></ItemGroup>
</Project>
XML
cat > Program.cs <<'CS'
using MongoDB.Bson;
using MongoDB.Bson.Serialization;
using MongoDB.Driver;

var update = Builders<Account>.Update;
Show("balance +5 and +7", update.Inc(a => a.Cents, 5).Inc(a => a.Cents, 7));
Show("the same, Combine", update.Combine(update.Inc(a => a.Cents, 5), update.Inc(a => a.Cents, 7)));
Show("two entries", update.Push(a => a.Entries, "rent").Push(a => a.Entries, "food"));
Show("two of a set", update.AddToSet(a => a.Entries, "rent").AddToSet(a => a.Entries, "food"));
Show("max of 10 and 2", update.Max(a => a.Cents, 10).Max(a => a.Cents, 2));
Show("PushEach", update.PushEach(a => a.Entries, ["rent", "food"]));

static void Show(string what, UpdateDefinition<Account> definition) => Console.WriteLine($"{what}: " +
    definition.Render(new RenderArgs<Account>(BsonSerializer.LookupSerializer<Account>(), BsonSerializer.SerializerRegistry)).ToJson());

internal sealed record Account(string Id, long Cents, List<string> Entries);
CS
dotnet run > seen
cat seen
diff - seen <<'SEEN'
balance +5 and +7: { "$inc" : { "Cents" : 7 } }
the same, Combine: { "$inc" : { "Cents" : 7 } }
two entries: { "$push" : { "Entries" : "food" } }
two of a set: { "$addToSet" : { "Entries" : "food" } }
max of 10 and 2: { "$max" : { "Cents" : 2 } }
PushEach: { "$push" : { "Entries" : { "$each" : ["rent", "food"] } } }
SEEN
