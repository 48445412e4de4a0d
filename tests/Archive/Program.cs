using KafkaEventSourcing.Archive.Tests;
using Xunit.MicrosoftTestingPlatform;

// The tests, or a writer of an archive that a test of this program started to kill it.
return args is [ArchiveWriter.Verb, string folder]
    ? await ArchiveWriter.Run(folder)
    : await TestPlatformTestFramework.RunAsync(args, SelfRegisteredExtensions.AddSelfRegisteredExtensions);
